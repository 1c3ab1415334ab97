const sources = {
  files: ["router-daemon/kcp-ts/test/**/*.test.ts", "test/**/*.test.ts"],
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx"],
};

/** `make test` makes JavaScript of them beforehand (tools/test-bundle.ts), which needs no loader. */
const bundles = { files: ["out/tests/**/*.test.js"] };

export default {
  ...(process.env.AVA_BUNDLES === undefined ? sources : bundles),
  // tsx's loader is not applied inside worker threads.
  workerThreads: false,
  timeout: "5m",
};

export default {
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx"],
  // tsx's loader is not applied inside worker threads.
  workerThreads: false,
  files: ["router-daemon/kcp-ts/test/**/*.test.ts", "test/**/*.test.ts"],
  timeout: "5m",
};

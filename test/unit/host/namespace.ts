import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What `unshare` needs besides the namespaces: nothing as root, else a user namespace. */
function userNamespace(): readonly string[] {
  return process.getuid?.() === 0 ? [] : ["-Ur"];
}

/**
 * Runs a script with a network namespace of its own, as root or with a user namespace, and gives the JSON it printed. Nothing of
 * it can reach the machine's network, and the kernel takes everything away when the process ends.
 */
export function playScript<Result>(script: URL, scene: string, options: readonly string[]): Promise<Result> {
  const flags = [...userNamespace(), "-nm", "--kill-child"];
  const args = [process.execPath, "--import=tsx", fileURLToPath(script), scene, ...options];
  const child = spawn("unshare", [...flags, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) reject(new Error(`The scene ${scene} ended with ${code}:\n${err}${out}`));
      else resolve(JSON.parse(out) as Result);
    });
  });
}

/** Plays a scene of `tun-scene.ts`. */
export function playScene(scene: string, options: readonly string[] = []): Promise<SceneResult> {
  return playScript(new URL("tun-scene.ts", import.meta.url), scene, options);
}

export type SceneResult = Readonly<Record<string, unknown>>;

/** Why scenes cannot be played here, or undefined when they can. */
export function whyNoScenes(): string | undefined {
  try {
    execFileSync(
      "unshare",
      [...userNamespace(), "-nm", "sh", "-c", "test -c /dev/net/tun && ip link set lo up"],
      {
        stdio: "pipe",
      },
    );
    return undefined;
  } catch (cause) {
    return `no network namespace with a TUN device can be made here: ${String(cause).split("\n")[0]}`;
  }
}

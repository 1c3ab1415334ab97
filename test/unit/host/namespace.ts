import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Runs `tun-scene.ts` in a network namespace of its own, as root or with a user namespace. Nothing of it can reach the
 * machine's network, and the kernel takes everything away when the process ends.
 */
export function playScene(scene: string, options: readonly string[] = []): Promise<SceneResult> {
  const script = fileURLToPath(new URL("tun-scene.ts", import.meta.url));
  const flags = [...(process.getuid?.() === 0 ? [] : ["-Ur"]), "-nm", "--kill-child"];
  const child = spawn("unshare", [...flags, process.execPath, "--import=tsx", script, scene, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
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
      else resolve(JSON.parse(out) as SceneResult);
    });
  });
}

export type SceneResult = Readonly<Record<string, unknown>>;

/** Why scenes cannot be played here, or undefined when they can. */
export function whyNoScenes(): string | undefined {
  try {
    const flags = process.getuid?.() === 0 ? [] : ["-Ur"];
    execFileSync("unshare", [...flags, "-nm", "sh", "-c", "test -c /dev/net/tun && ip link set lo up"], {
      stdio: "pipe",
    });
    return undefined;
  } catch (cause) {
    return `no network namespace with a TUN device can be made here: ${String(cause).split("\n")[0]}`;
  }
}

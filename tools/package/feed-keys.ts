/** The keys that sign a feed. They live outside the tree, in a folder that only their owner can read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ApkKey } from "./apk-key.ts";
import { generateUsignKey, readUsignKey, type UsignKey } from "./usign.ts";

export interface FeedKeys {
  readonly folder: string;
  readonly opkg: UsignKey;
  readonly apk: ApkKey;
  /** PEM text of apk's public key, for /etc/apk/keys. */
  readonly apkPublic: string;
}

/** Where the keys are unless KCP_ROUTER_FEED_KEYS names another folder. */
export function defaultKeyFolder(): string {
  return process.env.KCP_ROUTER_FEED_KEYS ?? join(homedir(), ".config/kcp-router/feed-keys");
}

/** Reads both keys; what is missing is made, once. */
export function loadFeedKeys(folder: string): FeedKeys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const opkg = keyFile(join(folder, "opkg.sec"), generateUsignKey);
  const privateKey = createPrivateKey(keyFile(join(folder, "apk.pem"), generateApkKey));
  const apkPublic = createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
  return { folder, opkg: readUsignKey(opkg), apk: { privateKey }, apkPublic };
}

function keyFile(path: string, generate: () => string): string {
  if (!existsSync(path)) writeFileSync(path, generate(), { mode: 0o600 });
  return readFileSync(path, "utf8");
}

function generateApkKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ type: "sec1", format: "pem" }).toString();
}

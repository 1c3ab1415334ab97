/** The far end of a TUN scene: services in a namespace of their own. Prints "ready", later what it counted. */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

import { pattern } from "./desk.ts";

/** Upload: reads to the end, answers with the hash. Download: the first line says how many bytes. */
const upload = createServer({ allowHalfOpen: true }, (socket) => {
  const hash = createHash("sha256");
  socket.on("data", (chunk) => hash.update(chunk));
  socket.on("end", () => socket.end(hash.digest("hex")));
});
const download = createServer((socket) => {
  socket.once("data", (line) => socket.end(pattern(Number(line), 5)));
});
/** Datagrams [length u16be, seed, …pattern]: counts the good and the bad ones. */
const counted = { good: 0, bad: 0 };
const datagrams = createSocket({ type: "udp6", recvBufferSize: 4 << 20 });
datagrams.on("message", (message) => {
  // Tunnel and peer header come first.
  const body = message.subarray(24);
  const expected = pattern(body.length - 3, body[2]!);
  const good = body.readUInt16BE(0) === body.length && Buffer.compare(body.subarray(3), expected) === 0;
  counted[good ? "good" : "bad"]++;
});

process.stdin.on("data", () => process.stdout.write(`${JSON.stringify(counted)}\n`));
process.stdin.on("end", () => process.exit(0));
await new Promise<void>((resolve) => upload.listen(7001, "::", resolve));
await new Promise<void>((resolve) => download.listen(7002, "::", resolve));
await new Promise<void>((resolve) => datagrams.bind(7003, "::", resolve));
process.stdout.write("ready\n");

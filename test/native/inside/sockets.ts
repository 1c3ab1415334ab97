/** A client and a server in one loop, over a unix socket and over TCP; then what closed and unknown sockets say. */
import { native } from "kcp-router:native";
import { print } from "./print.ts";

const END_OF_STREAM = -0x7fff;
const READABLE = 1;
const WRITABLE = 2;

const name = (code: number): string | number => (code < 0 ? native.errorName(code) : code);
const seen: string[] = [];
const buffer = new Uint8Array(64);
let served = 0;

function talk(listener: number, client: number, done: () => void): void {
  native.onSocket((socket, events) => {
    if (socket === listener) {
      served = native.socketAccept(listener);
      native.socketWrite(served, native.encodeUtf8("hello"), 0, 5);
      native.socketShutdown(served);
      native.socketWatch(served, READABLE);
    } else if (socket === client && (events & WRITABLE) !== 0) {
      seen.push(`connected ${name(native.socketError(client))}`);
      native.socketWatch(client, READABLE);
    } else {
      const got = native.socketRead(socket, buffer, 2, 60);
      const who = socket === client ? "client" : "server";
      if (got > 0) seen.push(`${who} ${native.decodeUtf8(buffer, 2, got, true)}`);
      if (got !== END_OF_STREAM) return;
      seen.push(`${who} end`);
      native.socketClose(socket);
      if (socket !== client) done();
    }
  });
  native.socketWatch(listener, READABLE);
  native.socketWatch(client, WRITABLE);
}

const unix = native.socketListenUnix("socket");
const mode = native.fileStatus("socket") as { mode: number };
talk(unix, native.socketConnectUnix("socket"), () => {
  native.socketClose(unix);
  const tcp = native.socketListenTcp(0x7f000001, 0);
  const port = native.socketPort(tcp);
  talk(tcp, native.socketConnectTcp(0x7f000001, port), () => {
    native.socketClose(tcp);
    const refused = native.socketConnectTcp(0x7f000001, port);
    native.onSocket(() => {
      print({
        seen,
        mode: (mode.mode & 0o777).toString(8),
        inUse: name(native.socketListenUnix("socket")),
        tooLong: name(native.socketListenUnix("n".repeat(200))),
        refused: name(native.socketError(refused)),
        refusedAgain: name(native.socketError(refused)),
        closed: [
          native.socketClose(tcp),
          native.socketRead(served, buffer, 0, 1),
          native.socketWatch(unix, 1),
        ].map(name),
        ports: name(native.socketListenTcp(0x7f000001, 70_000)),
      });
      native.socketClose(refused);
      native.resolve("localhost", (addresses) =>
        print({ localhost: addresses.length > 0, loopback: addresses.includes("127.0.0.1") }),
      );
    });
    native.socketWatch(refused, WRITABLE);
  });
});

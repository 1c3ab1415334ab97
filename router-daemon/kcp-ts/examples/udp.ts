/** An echo over UDP on this machine: `npx tsx examples/udp.ts`. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Kcp } from "kcp-ts";

/** A `Kcp` with a socket and a timer. `serve` is called whenever there may be something to read or room to write. */
async function open(kcp: Kcp, serve: () => void) {
  const socket = createSocket("udp4");
  let peerPort = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function turn(): void {
    serve();
    if (closed || peerPort === 0) return;
    kcp.poll(performance.now(), {
      datagram(offset, length) {
        // A copy, because the socket keeps it beyond this call.
        socket.send(kcp.pool.bytes.slice(offset, offset + length), peerPort, "127.0.0.1");
        return true;
      },
    });
    clearTimeout(timer);
    const wait = kcp.nextTimeout - performance.now();
    if (wait !== Infinity) timer = setTimeout(turn, Math.max(0, wait));
  }

  socket.on("message", (bytes, from) => {
    peerPort = from.port;
    kcp.handleBytes(bytes, performance.now());
    turn();
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    connect(port: number): void {
      peerPort = port;
      turn();
    },
    close(): void {
      closed = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}

const buffer = new Uint8Array(65_536);
const far = new Kcp({ conv: 1 });
const near = new Kcp({ conv: 1 });
const message = "over and back";
let answer = "";

const server = await open(far, () => {
  for (let count = far.read(buffer); count > 0; count = far.read(buffer))
    far.write(buffer.subarray(0, count));
});
const client = await open(near, () => {
  answer += new TextDecoder().decode(buffer.subarray(0, near.read(buffer)));
  if (answer !== message) return;
  console.log(answer);
  server.close();
  client.close();
});
near.write(new TextEncoder().encode(message));
client.connect(server.port);

/** What the stories about nodes share. */
import { writePeerHeader } from "../../../router-daemon/src/wire/peer-header.ts";
import { RelayNode } from "./fake-relay.ts";
import { type Datagram, FakeNetwork } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

export const A = "192.0.2.1";
export const B = "192.0.2.2";
export const C = "192.0.2.3";
export const urlOf = (address: string): string => `udp://${address}:11010`;
export const text = (words: string): Uint8Array => Buffer.from(words);
export const packetType = ({ bytes }: Datagram): number => (bytes[4] === 3 ? bytes[16]! : -1);

export function pair(options: { encryption?: boolean } = {}) {
  const network = new FakeNetwork(1);
  const a = new TestNode(network, { address: A, ...options });
  const b = new TestNode(network, { address: B, peers: [urlOf(A)], ...options });
  network.run(1000);
  return { network, a, b };
}

/** a and c are linked to the relay only. */
export function line(seed = 2) {
  const network = new FakeNetwork(seed);
  const relay = new RelayNode(network, { address: B });
  const a = new TestNode(network, { address: A, peers: [urlOf(B)] });
  const c = new TestNode(network, { address: C, peers: [urlOf(B)] });
  network.run(3000);
  return { network, relay, a, c };
}

/** Sends a hand-made packet from b to a over b's link. */
export function inject(b: TestNode, packet: Uint8Array): void {
  const { pool } = b.underlay;
  const slot = pool.alloc();
  pool.bytes.set(packet, slot * pool.slotBytes);
  b.underlay.sendOnLink([...b.underlay.links.keys()][0]!, slot * pool.slotBytes, packet.length);
  pool.free(slot);
}

export function packet(
  from: number,
  to: number,
  type: number,
  flags: number,
  payload: Uint8Array,
): Uint8Array {
  const out = new Uint8Array(16 + payload.length);
  writePeerHeader(out, 0, from, to, type, flags, payload.length);
  out.set(payload, 16);
  return out;
}

/** What the stories about links share: two nodes, and a stranger's datagrams. */
import { encodeHandshake } from "../../../router-daemon/src/wire/handshake.ts";
import { networkDigest } from "../../../router-daemon/src/wire/network-key.ts";
import { writePeerHeader } from "../../../router-daemon/src/wire/peer-header.ts";
import { TunnelType, writeSyn, writeTunnelHeader } from "../../../router-daemon/src/wire/udp-tunnel.ts";
import { type Datagram, FakeNetwork } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

export const A = "192.0.2.1";
export const B = "192.0.2.2";
export const URL_A = `udp://${A}:11010`;

/** b dials a. `change` prepares the network before anything is sent. */
export function pair(seed = 1, change: (network: FakeNetwork) => void = () => {}) {
  const network = new FakeNetwork(seed);
  change(network);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  return { network, a, b };
}

export const isLinked = (x: TestNode, y: TestNode): boolean =>
  x.direct.includes(y.peerId) && y.direct.includes(x.peerId);

export const tunnelType = ({ bytes }: Datagram): number => bytes[4]!;
export const packetType = ({ bytes }: Datagram): number => (bytes[4] === TunnelType.data ? bytes[16]! : -1);

/** A SYN to a's listener. */
export function syn(from: string, fromPort: number, connId: number): Datagram {
  const bytes = new Uint8Array(16);
  writeSyn(bytes, 0, connId, TunnelType.syn, 1, 2);
  return { from, fromPort, to: A, toPort: 11010, bytes };
}

/** The handshake of somebody who knows the secret of `TestNode`'s network. */
export function handshake(from: string, fromPort: number, connId: number, peerId: number): Datagram {
  const body = encodeHandshake({ peerId, networkName: "lab", digest: networkDigest("lab", "lab-secret") });
  const bytes = new Uint8Array(24 + body.length);
  writeTunnelHeader(bytes, 0, connId, TunnelType.data, 16 + body.length);
  writePeerHeader(bytes, 8, peerId, 0, 2, 0, body.length);
  bytes.set(body, 24);
  return { from, fromPort, to: A, toPort: 11010, bytes };
}

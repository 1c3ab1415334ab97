import type { Session } from "../session.ts";
import type { Target } from "./check.ts";

/** The peer with this id, or for 0 the reachable one with the smallest; undefined = there is none. `wake` makes the loop send. */
export function findTarget(
  session: Session,
  peerId: number,
  ownAddress: number,
  now: () => number,
  wake: () => void,
): Target | undefined {
  const { mesh, sourceEndpoint } = session;
  const [first] = mesh
    .peerSnapshots()
    .filter(({ shared, info }) => !shared && (info?.pathLength ?? 0) > 0)
    .map((peer) => peer.peerId)
    .sort((a, b) => a - b);
  const peer = mesh.peer(peerId === 0 ? (first ?? 0) : peerId);
  if (peer === undefined) return undefined;
  return {
    peer,
    probe(timeoutMs, done) {
      mesh.probe(peer.peerId, timeoutMs, now(), done);
      wake();
    },
    connect(port, openTimeoutMs) {
      const source = { ip: ownAddress, port };
      const destination = { ip: peer.ipv4, port };
      const rttMs = mesh.latencyMs(peer.peerId) ?? 0;
      const options = { openTimeoutMs, rttMs };
      const connection = sourceEndpoint.connect(peer.peerId, { source, destination }, now(), options);
      wake();
      return connection;
    },
  };
}

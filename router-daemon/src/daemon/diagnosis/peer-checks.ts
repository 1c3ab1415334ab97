/** What can be wrong on the way to a peer. Both measurements are short and bounded. */
import type { KcpConnection } from "../../kcp/types.ts";
import type { PeerInfo } from "../../mesh/routes/types.ts";
import { type Check, type Finding, failed, passed, type Scene, skipped } from "./check.ts";

/** Questions of one measurement, and the pause between two: fewer than a peer lets one other have open. */
export const PROBES = 20;
export const PROBE_SPACING_MS = 50;
export const PROBE_TIMEOUT_MS = 1000;
/** Loss from which KCP or QUIC is worth having, and loss at which nothing is well. */
const NOTABLE_LOSS = 0.3;

/** How long a peer may take to say anything to a KCP connection. */
export const KCP_TIMEOUT_MS = 3000;
const KCP_LOOK_MS = 10;
/** `discard`: hardly anybody serves it, and being refused is an answer too. */
const DISCARD_PORT = 9;
const STOPPING = "The daemon stops.";

export const PEER_CHECKS: readonly Check[] = [
  {
    code: "peer_reachable",
    title: "Peers",
    run: ({ reachablePeers, config }) => {
      if (reachablePeers > 0) {
        return passed(`${reachablePeers === 1 ? "1 peer is" : `${reachablePeers} peers are`} reachable.`);
      }
      if (config.peers.length === 0) {
        return failed(
          "No peer is reachable, and none is configured to be dialled.",
          "Name a peer, or let another node dial this one.",
        );
      }
      return failed(
        "None of the configured peers is reachable.",
        "The events say why. Check the peers' addresses, the network's name and secret, and that UDP passes.",
      );
    },
  },
  { code: "peer_loss", title: "Loss and jitter", run: measureLoss },
  { code: "peer_kcp", title: "KCP", run: tryKcp },
];

async function measureLoss(scene: Scene): Promise<Finding> {
  const { target } = scene;
  if (target === undefined) return skipped("There is nobody to measure with.");
  const rtts: (number | null)[] = [];
  for (let sent = 0; sent < PROBES; sent++) {
    target.probe(PROBE_TIMEOUT_MS, (rttMs) => rtts.push(rttMs));
    if (!(await scene.sleep(scene.now() + PROBE_SPACING_MS))) return skipped(STOPPING);
  }
  const end = scene.now() + PROBE_TIMEOUT_MS;
  while (rtts.length < PROBES && scene.now() < end) {
    if (!(await scene.sleep(scene.now() + PROBE_SPACING_MS))) return skipped(STOPPING);
  }
  return lossFinding(target.peer, rtts);
}

/** `rtts` in the order of the answers; null = lost, and so is what is missing. */
export function lossFinding(peer: PeerInfo, rtts: readonly (number | null)[]): Finding {
  const answered = rtts.filter((rtt) => rtt !== null);
  const loss = 1 - answered.length / PROBES;
  if (answered.length === 0) {
    return failed(
      `${nameOf(peer)} answered none of ${PROBES} packets.`,
      "It may have just gone. Look at the events, and try again.",
      { loss_share: 1 },
    );
  }
  const rttMs = answered.reduce((sum, rtt) => sum + rtt, 0) / answered.length;
  const figures = {
    loss_share: rounded(loss, 1000),
    rtt_ms: rounded(rttMs, 10),
    jitter_ms: rounded(jitter(answered), 10),
  };
  const message = `${nameOf(peer)} answered ${answered.length} of ${PROBES} packets: ${figures.rtt_ms} ms there and back, jitter ${figures.jitter_ms} ms.`;
  if (loss < NOTABLE_LOSS) return passed(message, figures);
  return failed(
    message,
    "So much loss slows everything. Look for a better way to the peer: another link, another address, a TCP link.",
    figures,
  );
}

/** Mean difference of neighbouring round trips. */
function jitter(rtts: readonly number[]): number {
  let sum = 0;
  for (let at = 1; at < rtts.length; at++) sum += Math.abs((rtts[at] ?? 0) - (rtts[at - 1] ?? 0));
  return rtts.length < 2 ? 0 : sum / (rtts.length - 1);
}

/** Opens a KCP connection to a port that nobody serves: that the peer decides at all shows that KCP works. */
async function tryKcp(scene: Scene): Promise<Finding> {
  const { target } = scene;
  if (target === undefined) return skipped("There is nobody to try it with.");
  const { peer } = target;
  if (!peer.featureFlags.kcpInput) {
    return skipped(`${nameOf(peer)} does not take KCP (disable_kcp_input there, or an old version).`);
  }
  if (peer.ipv4 === 0) return skipped(`${nameOf(peer)} has no virtual address.`);
  const started = scene.now();
  const connection = target.connect(DISCARD_PORT, KCP_TIMEOUT_MS);
  if (connection === undefined) return skipped("The limit of connections is reached.");
  const end = started + KCP_TIMEOUT_MS;
  while (connection.state === "opening" && scene.now() < end) {
    if (!(await scene.sleep(scene.now() + KCP_LOOK_MS))) break;
  }
  const finding = kcpFinding(peer, connection, Math.round(scene.now() - started));
  connection.release(scene.now());
  return finding;
}

function kcpFinding(peer: PeerInfo, connection: KcpConnection, tookMs: number): Finding {
  const silent =
    connection.state === "opening" ||
    connection.closeReason === "no_answer" ||
    connection.closeReason === "undecided";
  if (silent) {
    return failed(
      `${nameOf(peer)} did not answer a KCP connection within ${KCP_TIMEOUT_MS / 1000} s.`,
      "TCP to it goes plain meanwhile. Look at the loss; restart the peer if other peers answer.",
    );
  }
  if (connection.closeReason === "aborted") return skipped(STOPPING);
  if (connection.closeReason === "peer_gone") return skipped(`${nameOf(peer)} left while it was tried.`);
  return passed(`${nameOf(peer)} answered a KCP connection after ${tookMs} ms.`, { answer_ms: tookMs });
}

function nameOf(peer: PeerInfo): string {
  return peer.hostname === "" ? `Peer ${peer.peerId}` : peer.hostname;
}

function rounded(value: number, per: number): number {
  return Math.round(value * per) / per;
}

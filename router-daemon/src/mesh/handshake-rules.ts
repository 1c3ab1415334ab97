/**
 * The rules of the handshake (links.md 4.2), apart from its packets and timers. Stricter than stock nodes in one point, as
 * the protocol notes advise: for our own network both sides must prove the secret.
 */
import type { Handshake } from "../wire/handshake.ts";
import { equalBytes, isZeroDigest } from "../wire/network-key.ts";
import type { LinkReason } from "./reason.ts";

export interface Identity {
  readonly peerId: number;
  readonly networkName: string;
  readonly digest: Uint8Array;
}

export type Verdict =
  | { readonly accepted: true; readonly shared: boolean }
  | { readonly accepted: false; readonly reason: LinkReason };

/** As client: what the server's answer means. Another network's name with a zero digest is a shared node (links.md 10.2). */
export function judgeReply(own: Identity, reply: Handshake): Verdict {
  if (reply.peerId === own.peerId) return { accepted: false, reason: "peer_id_conflict" };
  if (reply.networkName !== own.networkName) return { accepted: true, shared: true };
  // A server shows its digest only to those who know the secret: zeros mean that ours is not its own.
  if (!equalBytes(reply.digest, own.digest)) return { accepted: false, reason: "wrong_network_secret" };
  return { accepted: true, shared: false };
}

/** As server: what the client's request means, and the digest of the answer, which is sent in any case. */
export function judgeRequest(
  own: Identity,
  request: Handshake,
): { verdict: Verdict; replyDigest: Uint8Array } {
  const sameName = request.networkName === own.networkName;
  const proven = sameName && !isZeroDigest(request.digest) && equalBytes(request.digest, own.digest);
  const replyDigest = proven ? own.digest : new Uint8Array(own.digest.length);
  return { verdict: judge(), replyDigest };

  function judge(): Verdict {
    if (!sameName) return { accepted: false, reason: "wrong_network_name" };
    if (!proven) return { accepted: false, reason: "wrong_network_secret" };
    if (request.peerId === own.peerId) return { accepted: false, reason: "peer_id_conflict" };
    return { accepted: true, shared: false };
  }
}

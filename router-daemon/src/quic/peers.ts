/** What an endpoint knows of each peer: its connections, the streams that wait for one, and its form of the checksum. */
import { ChecksumForm, otherForm } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { RESET_TOKEN_BYTES } from "./frames.ts";
import { MAX_ATTEMPTS, MAX_REMEMBERED_FORMS } from "./limits.ts";
import type { Stream } from "./stream.ts";

/** A stateless reset is no shorter (RFC 9000, 10.3). */
const MIN_RESET_BYTES = 21;

export interface Peer<Owner> {
  /** Alive, the newest last. */
  readonly connections: Connection<Owner>[];
  /** Source: streams without a connection, in the order in which they came. */
  readonly waiting: Stream<Owner>[];
}

export class Peers<Owner> {
  readonly #peers = new Map<number, Peer<Owner>>();
  /** The oldest is forgotten first. */
  readonly #forms = new Map<number, ChecksumForm>();

  get size(): number {
    return this.#peers.size;
  }

  get(peerId: number): Peer<Owner> {
    let peer = this.#peers.get(peerId);
    if (peer === undefined) {
      peer = { connections: [], waiting: [] };
      this.#peers.set(peerId, peer);
    }
    return peer;
  }

  forget(peerId: number): void {
    this.#peers.delete(peerId);
    this.#forms.delete(peerId);
  }

  /** Nothing is kept of a peer without connections and streams. */
  tidy(peerId: number): void {
    const peer = this.#peers.get(peerId);
    if (peer?.connections.length === 0 && peer.waiting.length === 0) this.#peers.delete(peerId);
  }

  remove(connection: Connection<Owner>): void {
    const peer = this.get(connection.peerId);
    const at = peer.connections.indexOf(connection);
    if (at >= 0) peer.connections.splice(at, 1);
    this.tidy(connection.peerId);
  }

  // ── which connection ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The newest connection that answers and may have one more stream. */
  usable(peer: Peer<Owner>): Connection<Owner> | undefined {
    for (let i = peer.connections.length - 1; i >= 0; i--) {
      const connection = peer.connections[i]!;
      if (connection.streamCredit > 0 && !connection.isSuspect) return connection;
    }
    return undefined;
  }

  /** No handshake is under way that may still come to something, and not too many are. */
  mayAttempt(peer: Peer<Owner>): boolean {
    let attempts = 0;
    for (const { state, isSuspect } of peer.connections) {
      if (state !== "handshaking") continue;
      if (!isSuspect) return false;
      attempts++;
    }
    return attempts < MAX_ATTEMPTS;
  }

  // ── forms of the checksum (proxies.md 6.3) ──────────────────────────────────────────────────────────────────────────

  form(peerId: number): ChecksumForm | undefined {
    return this.#forms.get(peerId);
  }

  rememberForm(peerId: number, form: ChecksumForm): void {
    this.#forms.delete(peerId);
    if (this.#forms.size >= MAX_REMEMBERED_FORMS) {
      for (const oldest of this.#forms.keys()) {
        this.#forms.delete(oldest);
        break;
      }
    }
    this.#forms.set(peerId, form);
  }

  /** The form for the next handshake: the one that is known, else in turns. */
  formToTry(peerId: number): ChecksumForm {
    const known = this.#forms.get(peerId);
    if (known !== undefined) return known;
    const { connections } = this.get(peerId);
    const last = connections[connections.length - 1];
    return last?.state === "handshaking" ? otherForm(last.form) : ChecksumForm.wide;
  }

  // ── stateless resets ────────────────────────────────────────────────────────────────────────────────────────────────

  findReset(
    peerId: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Connection<Owner> | undefined {
    if (length < MIN_RESET_BYTES) return undefined;
    const at = offset + length - RESET_TOKEN_BYTES;
    return this.#peers
      .get(peerId)
      ?.connections.find(({ resetToken }) => resetToken?.every((byte, i) => byte === bytes[at + i]));
  }
}

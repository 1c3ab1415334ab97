/** Nodes that relay, made of ours, which do not: what a stock node does with packets for others (links.md 1.7, 10.3). */
import { RxFlag } from "../../../router-daemon/src/mesh/underlay.ts";
import { encodeHandshake } from "../../../router-daemon/src/wire/handshake.ts";
import { networkDigest } from "../../../router-daemon/src/wire/network-key.ts";
import { concat, type Datagram, type FakeNetwork } from "./fake-underlay.ts";
import { TestNode, type TestNodeOptions } from "./test-node.ts";

/** A member of the network that hands packets for others on, with a higher counter. */
export class RelayNode extends TestNode {
  relayed = 0;
  protected counterStep = 1;

  constructor(network: FakeNetwork, options: TestNodeOptions) {
    super(network, options);
    const own = this.underlay.receiver;
    this.underlay.receiver = (slot, offset, length, link, flags, now, socket) => {
      const { bytes } = this.underlay.pool;
      const view = new DataView(bytes.buffer);
      const to = length >= 16 ? view.getUint32(offset + 4, true) : 0;
      const isLinkPacket = [2, 4, 5].includes(bytes[offset + 8]!);
      if (flags !== RxFlag.untouched || to === 0 || to === this.peerId || isLinkPacket) {
        return own(slot, offset, length, link, flags, now, socket);
      }
      const route = this.node.route(to, 1);
      if (route < 0 || bytes[offset + 10]! > 7) return false;
      bytes[offset + 10] = bytes[offset + 10]! + this.counterStep;
      this.relayed++;
      this.underlay.sendOnLink(this.underlay.routes.get(route)!.link, offset, length);
      return false;
    };
  }
}

/**
 * A shared node of another network: it names that network and zeros in the handshake, speaks RPC in clear text, relays
 * without raising the counter, and cannot open anything.
 */
export class SharedNode extends RelayNode {
  constructor(network: FakeNetwork, options: TestNodeOptions, sharedName = "public-net") {
    const networkName = options.networkName ?? "lab";
    const featureFlags = { isPublicServer: true, kcpInput: true, supportConnListSync: true };
    const base = { networkName, networkSecret: "", encryption: false };
    super(network, { ...options, ...base, local: { ipv4: 0, hostname: "PublicServer_shared" } });
    this.counterStep = 0;
    this.node.setLocalInfo(
      { featureFlags: { ...this.node.peer(this.peerId)!.featureFlags, ...featureFlags } },
      network.now,
    );
    this.#name = sharedName;
    this.#ownDigest = networkDigest(networkName, "");
    this.#ownName = networkName;
  }
  #name = "";
  #ownName = "";
  #ownDigest: Uint8Array = new Uint8Array(32);

  override deliver(datagram: Datagram, now: number): void {
    // It admits any secret: seen from inside, everybody has the right one.
    const { bytes } = datagram;
    if (bytes[4] !== 3 || bytes[16] !== 2) {
      super.deliver(datagram, now);
      return;
    }
    const from = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
    const body = encodeHandshake({ peerId: from, networkName: this.#ownName, digest: this.#ownDigest });
    super.deliver({ ...datagram, bytes: withBody(bytes, body) }, now);
  }

  /** Its answers, as others see them. */
  disguise(datagram: Datagram): Datagram {
    const { bytes } = datagram;
    if (datagram.from !== this.underlay.address || bytes[4] !== 3 || bytes[16] !== 2) return datagram;
    const body = encodeHandshake({
      peerId: this.peerId,
      networkName: this.#name,
      digest: new Uint8Array(32),
    });
    return { ...datagram, bytes: withBody(bytes, body) };
  }
}

function withBody(datagram: Uint8Array, body: Uint8Array): Uint8Array {
  const out = concat(datagram.subarray(0, 24), body);
  new DataView(out.buffer).setUint16(6, 16 + body.length, true);
  new DataView(out.buffer).setUint32(20, body.length, true);
  return out;
}

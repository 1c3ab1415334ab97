import { readFileSync } from "node:fs";

import { RxFlag } from "../../../router-daemon/src/host/host.ts";
import { type Received, tunnel } from "./desk.ts";
import { opened } from "./seal.ts";
import type { Suite } from "./suite.ts";

interface Vectors {
  readonly encrypted_packets: readonly {
    readonly name: string;
    readonly key: string;
    readonly plaintext_payload: string;
    readonly packet: string;
  }[];
  readonly udp_tunnel: readonly {
    readonly name: string;
    readonly conn_id: number;
    readonly msg_type: number;
    readonly hex: string;
  }[];
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** The protocol notes' test vectors (links.md, appendix C) through real sockets. */
export function vectorConformance(suite: Suite): void {
  const vectors = JSON.parse(
    readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"),
  ) as Vectors;

  suite.test(
    "the encrypted packet of the vectors is opened, those of other ciphers are not",
    async (t, desk, world) => {
      const d = desk();
      const left = d.udp();
      const right = d.udp();
      d.link(1, right, left.port, 1);
      const [ours, ...others] = vectors.encrypted_packets;
      const packet = hex(ours!.packet);
      d.identity(new DataView(packet.buffer, packet.byteOffset).getUint32(4, true), hex(ours!.key));
      for (const other of others) d.datagram(left, right.port, tunnel(1, 3, hex(other.packet)));
      d.datagram(left, right.port, tunnel(1, 3, packet));
      const got: Received[] = [];
      await world.until(() => d.drain(right, got).length >= 1, "the packet");
      t.is(got.length, 1);
      t.is(got[0]!.flags, RxFlag.opened);
      t.deepEqual(got[0]!.bytes.subarray(16), hex(ours!.plaintext_payload));
      t.deepEqual(opened(packet, hex(ours!.key)).payload, hex(ours!.plaintext_payload));
      t.is(d.count("rxBadTag") + d.count("rxMalformed"), others.length);
    },
  );

  suite.test(
    "the tunnel datagrams of the vectors arrive: DATA by its link, the others whole",
    async (t, desk, world) => {
      const d = desk();
      const left = d.udp();
      const right = d.udp();
      const data = vectors.udp_tunnel.filter(({ msg_type }) => msg_type === 3);
      for (const [i, { conn_id }] of data.entries()) d.link(i, right, left.port, conn_id);
      for (const vector of vectors.udp_tunnel) d.datagram(left, right.port, hex(vector.hex));
      const got: Received[] = [];
      await world.until(() => d.drain(right, got).length >= vectors.udp_tunnel.length, "all vectors");
      got.forEach(({ bytes, flags, link }, i) => {
        const vector = vectors.udp_tunnel[i]!;
        const isData = vector.msg_type === 3;
        t.is(flags, isData ? RxFlag.untouched : RxFlag.datagram, vector.name);
        t.is(link >= 0, isData);
        t.deepEqual(bytes, isData ? hex(vector.hex).slice(8) : hex(vector.hex));
      });
    },
  );
}

/** The packets of vectors/links.json, sent to a live node that has the recorded receiver's id and secret. */
import { readFileSync } from "node:fs";
import test from "ava";
import { FakeNetwork, fromHex, toHex } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

const vectors = JSON.parse(readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"));
const { peerA, peerB } = vectors.meta;

/** The recorded sender has a live link to the recorded receiver. */
function pair() {
  const network = new FakeNetwork(1);
  const secret = { networkSecret: "secret" };
  const receiver = new TestNode(network, { address: "192.0.2.1", peerId: peerB, ...secret });
  const sender = new TestNode(network, {
    address: "192.0.2.2",
    peerId: peerA,
    peers: ["udp://192.0.2.1:11010"],
    ...secret,
  });
  network.run(1000);
  network.log = [];
  const inject = (hex: string): void => {
    const packet = fromHex(hex);
    const { pool } = sender.underlay;
    const slot = pool.alloc();
    pool.bytes.set(packet, slot * pool.slotBytes);
    sender.underlay.sendOnLink([...sender.underlay.links.keys()][0]!, slot * pool.slotBytes, packet.length);
    pool.free(slot);
    network.run(20);
  };
  return { network, receiver, inject };
}

test("the packet sealed with AES-128-GCM is delivered as the recorded payload", (t) => {
  const { receiver, inject } = pair();
  const [vector] = vectors.encrypted_packets;
  inject(vector.packet);
  t.deepEqual(
    receiver.delivered.map(({ kind, from, payload }) => [kind, from, toHex(payload)]),
    [["data", peerA, vector.plaintext_payload]],
  );
});

test("the packets sealed with other ciphers do not open and are not delivered", (t) => {
  const { receiver, inject } = pair();
  const others = vectors.encrypted_packets.slice(1);
  t.is(others.length, 3);
  for (const { packet } of others) inject(packet);
  t.deepEqual(receiver.delivered, []);
  t.is(receiver.underlay.counters.openFailed, 3);
});

test("compressed packets, in clear text or sealed, are dropped and counted", (t) => {
  const { receiver, inject } = pair();
  for (const { packet } of vectors.compression) inject(packet);
  t.deepEqual(receiver.delivered, []);
  t.is(receiver.node.drops.compressed, 2);
  t.is(receiver.eventsOf("compressed_packets").length, 1);
});

test("the recorded ping is answered with the recorded pong", (t) => {
  const { network, receiver, inject } = pair();
  inject(vectors.ping_pong.ping_packet);
  const answers = network.log!.filter(({ from }) => from === receiver.underlay.address);
  t.deepEqual(
    answers.map(({ bytes }) => toHex(bytes.subarray(8))),
    [vectors.ping_pong.pong_packet],
  );
});

test("a packet between shared nodes goes nowhere, addressed to us or not", (t) => {
  const { network, receiver, inject } = pair();
  const recorded = fromHex(vectors.foreign_network_packet.packet);
  inject(toHex(recorded));
  t.is(receiver.node.drops.not_for_us, 1);
  new DataView(recorded.buffer).setUint32(4, peerB, true);
  inject(toHex(recorded));
  t.is(receiver.node.drops.foreign_network, 1);
  t.deepEqual(receiver.delivered, []);
  const isForeign = ({ bytes }: { bytes: Uint8Array }): boolean => bytes[4] === 3 && bytes[16] === 10;
  t.is(network.log!.filter(isForeign).length, 2, "none beside the two that came");
});

test("each recorded header is judged by its type, flags and receiver", (t) => {
  for (const { name, fields, hex } of vectors.peer_manager_header) {
    const { receiver, inject } = pair();
    const before = Object.values(receiver.node.drops.snapshot()).reduce((sum, count) => sum + count, 0);
    // The header alone, or with as many zero bytes as it names where nothing is sealed.
    const isSealed = (fields.flags & 1) !== 0;
    inject(hex + "00".repeat(isSealed ? 60 : fields.len));
    const after = Object.values(receiver.node.drops.snapshot()).reduce((sum, count) => sum + count, 0);
    const openFailed = receiver.underlay.counters.openFailed;
    const isPing = fields.packet_type === 4 && fields.to_peer_id === peerB;
    t.is(after - before + openFailed, isPing ? 0 : 1, name);
    t.deepEqual(receiver.delivered, [], name);
  }
});

/** What is not carried: IP packets of any kind cross the network as they are. */
import { PacketFlag, PacketType } from "../../router-daemon/src/wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../../router-daemon/src/wire/udp-tunnel.ts";
import { pattern } from "./random.ts";
import { ip } from "./router.ts";
import { collect, NAS, PORT, same, twoRouters } from "./scene.ts";
import { story } from "./story.ts";
import { udpPacket } from "./udp-packet.ts";
import { isPacket } from "./wire-tap.ts";

const PHONE = { address: ip("192.168.1.10"), port: 5000 };
const SERVER = { address: ip(NAS), port: 53 };
const NO_PROXY = { a: { config: { enable_kcp_proxy: false } } };
/** 1380, less what encryption needs. */
const TUN_MTU = 1360;

story(
  "plain TCP carries both directions over a bad path; its segments fit the device",
  { underlay: { loss: 0.02, jitterMs: 5 } },
  (t, world) => {
    const { a, phone, nas } = twoRouters(world, NO_PROXY);
    const streams = collect(nas, PORT);
    const near = phone.connect(nas.address, PORT);
    const [up, down] = [pattern(100_000, 1), pattern(100_000, 2)];
    near.write(up);
    world.until(() => streams.length > 0, "the connection");
    const far = streams[0]!;
    far.write(down);
    near.end();
    far.end();
    world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
    t.true(same(far.received(), up));
    t.true(same(near.received(), down));
    t.like(a.row(`${NAS}:${PORT}`), { transport: "tcp", reason: "kcp_proxy_disabled", state: "Closed" });
    const synAck = near.client.heard.find(({ flags }) => flags.has("syn"));
    t.true(synAck!.mss! <= TUN_MTU - 40);
    t.is(a.kernel.tun!.dropped, 0);
  },
);

story(
  "UDP goes and comes back; the answer is marked so that no peer sends it on as new traffic",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world);
    const flags: number[] = [];
    world.network.observe = (datagram) => {
      if (isPacket(datagram, PacketType.data)) flags.push(datagram.bytes[TUNNEL_HEADER_BYTES + 9]!);
    };
    const question = udpPacket(PHONE, SERVER, pattern(700, 1));
    phone.sendRaw(question);
    world.until(() => nas.heard.length === 1, "the question");
    t.true(same(nas.heard[0]!, question));
    const answer = udpPacket(SERVER, PHONE, pattern(1200, 2));
    nas.sendRaw(answer);
    world.until(() => phone.heard.length === 1, "the answer");
    t.true(same(phone.heard[0]!, answer));
    t.deepEqual(flags, [PacketFlag.encrypted, PacketFlag.encrypted | PacketFlag.noProxy]);
    t.is(a.counter("plain_sent") + b.counter("plain_sent"), 2);
  },
);

story(
  "a datagram larger than the device arrives in fragments that a receiver can put together",
  {},
  (t, world) => {
    const { phone, nas } = twoRouters(world);
    const sent = udpPacket(PHONE, SERVER, pattern(5000, 1));
    phone.sendRaw(sent);
    world.until(() => nas.heard.length === 4, "four fragments");
    const whole = new Uint8Array(sent.length - 20);
    for (const fragment of nas.heard) {
      t.true(fragment.length <= TUN_MTU);
      const offset = (((fragment[6]! & 0x1f) << 8) | fragment[7]!) * 8;
      whole.set(fragment.subarray(20), offset);
    }
    t.true(same(whole, sent.subarray(20)));
  },
);

story("broadcasts of the virtual network reach every node", {}, (t, world) => {
  const { a, b } = twoRouters(world);
  const c = world.router("c", {
    wan: "203.0.113.3",
    ipv4: "10.126.126.3/24",
    peers: ["203.0.113.1", "203.0.113.2"],
  });
  c.start();
  world.join();
  world.rest();
  const packet = udpPacket(
    { address: a.virtualAddress, port: 137 },
    { address: ip("10.126.126.255"), port: 137 },
    pattern(50, 1),
  );
  const heard: string[] = [];
  world.network.observe = (datagram) => {
    if (isPacket(datagram, PacketType.data)) heard.push(datagram.to);
  };
  a.kernel.route({ source: a.virtualAddress, destination: ip("10.126.126.255"), bytes: packet });
  world.run(200);
  t.deepEqual(heard.sort(), ["203.0.113.2", "203.0.113.3"]);
  t.is(b.counter("plain_delivered") + c.counter("plain_delivered"), 2);
});

story("packets for nobody go nowhere, and are counted", {}, (t, world) => {
  const { a, phone } = twoRouters(world);
  const lost = udpPacket(PHONE, { address: ip("10.126.126.77"), port: 9 }, pattern(10, 1));
  phone.sendRaw(lost);
  world.run(100);
  t.is(a.counter("plain_droppedNoRoute"), 1);
  t.is(a.counter("plain_sent"), 0);
});

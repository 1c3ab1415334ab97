/** Two of our daemons, a LAN behind each: what is carried over KCP, what is not, and what the tables say. */
import test from "ava";
import type { ConnectionRow } from "../../router-daemon/src/api/rows.ts";
import { until } from "./namespace.ts";
import { CONFIG_A, CONFIG_B, joined, LAN_TO_LAN, untilNoEntry, withPair } from "./two-routers.ts";

const MIB = 1024 * 1024;
const NO_RETURN_ROUTE = { proxyNetworks: [] as readonly string[] };

function summary(rows: readonly ConnectionRow[]): string[] {
  return [...new Set(rows.map((row) => `${row.role} ${row.transport} ${row.reason}`))].sort();
}

test.serial("a LAN's connection rides KCP, and both tables list it with its numbers", async (t) => {
  await withPair({}, {}, async ({ lab, a, b }) => {
    const transfer = lab.transfer({
      ...LAN_TO_LAN,
      mode: "duplex",
      upBytes: 3 * MIB,
      downBytes: 24 * MIB,
      stall: { atBytes: MIB, ms: 3000 },
      meanwhile: async () => {
        await until("a live entry", async () =>
          (await a.connections()).some((row) => row.state === "Connected"),
        );
        for (const router of [a, b]) {
          const { stdout } = await router.cli("proxy");
          t.regex(stdout, /^│ src +│ dst +│ start_time +│ state +│ transport_type │$/m);
          t.regex(
            stdout,
            /│ 10\.81\.0\.2:\d+ +│ 10\.82\.0\.2:\d+ +│ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d │ (Connected|Closing...) +│ Kcp +│/,
          );
        }
      },
    });
    t.deepEqual((await transfer).bad, []);
    await untilNoEntry(a);
    await untilNoEntry(b);
    const [source] = await a.connections();
    const [destination] = await b.connections();
    t.like(source, { role: "source", transport: "kcp", reason: "kcp_allowed", state: "Closed" });
    t.like(destination, { role: "destination", transport: "kcp", state: "Closed" });
    for (const row of [source!, destination!]) {
      t.true(row.upBytes >= 3 * MIB && row.upBytes < 3.1 * MIB, `${row.role} up ${row.upBytes}`);
      t.true(row.downBytes >= 24 * MIB && row.downBytes < 24.1 * MIB, `${row.role} down ${row.downBytes}`);
      t.true(row.rttMs !== null && row.rttMs > 0);
    }
  });
});

test.serial("a LAN that is not exported is carried just as well", async (t) => {
  await withPair({}, { a: NO_RETURN_ROUTE }, async ({ lab, a }) => {
    const { bad } = await lab.transfer({ ...LAN_TO_LAN, mode: "half-close", upBytes: MIB, downBytes: MIB });
    t.deepEqual(bad, []);
    t.deepEqual(summary(await a.connections()), ["source kcp kcp_allowed"]);
  });
});

test.serial("the router's own connections ride KCP, to the other router and to its LAN", async (t) => {
  await withPair({}, {}, async ({ lab, a }) => {
    for (const [server, address] of [
      ["routerB", "10.91.0.2"],
      ["service", LAN_TO_LAN.address],
    ] as const) {
      const { bad } = await lab.transfer({
        client: "routerA",
        server,
        address,
        upBytes: MIB,
        downBytes: MIB,
      });
      t.deepEqual(bad, []);
    }
    t.deepEqual(summary(await a.connections()), ["source kcp kcp_allowed"]);
  });
});

test.serial(
  "a service that refuses is a refused connection for the client, and listed as such",
  async (t) => {
    await withPair({}, {}, async ({ lab, a }) => {
      const script = `import socket
try:
    socket.create_connection(("${LAN_TO_LAN.address}", 1), 5)
    print("connected")
except ConnectionRefusedError:
    print("refused")`;
      t.is((await lab.must("client", ["python3", "-c", script])).trim(), "refused");
      await until(
        "the end of the entry",
        async () => (await a.connections())[0]?.reason === "destination_refused",
      );
    });
  },
);

test.serial(
  "the proxy off, or the peer's input off, is plain TCP with its reason, switched live in both directions",
  async (t) => {
    await withPair({}, {}, async ({ lab, a, b }) => {
      const once = async (): Promise<ConnectionRow | undefined> => {
        const { bad } = await lab.transfer({
          ...LAN_TO_LAN,
          mode: "duplex",
          upBytes: 200_000,
          downBytes: 200_000,
        });
        t.deepEqual(bad, []);
        const rows = await a.connections();
        return rows.reduce((newest, row) => (row.id > newest.id ? row : newest));
      };
      t.like(await once(), { transport: "kcp" });

      a.rewriteConfig({ ...CONFIG_A, flags: { enable_kcp_proxy: false } });
      t.is((await a.cli("reload")).status, 0);
      t.like(await once(), { transport: "tcp", reason: "kcp_proxy_disabled" });

      a.rewriteConfig(CONFIG_A);
      a.process.kill("SIGHUP");
      await until("the proxy on", async () =>
        (await a.call("status")).flags.some((f) => f.name === "enable_kcp_proxy" && f.effective),
      );
      t.like(await once(), { transport: "kcp" });

      b.rewriteConfig({ ...CONFIG_B, flags: { disable_kcp_input: true } });
      t.is((await b.cli("reload")).status, 0);
      await a.untilPeer("b", (peer) => !peer.kcpInput);
      const plain = await once();
      t.like(plain, { transport: "tcp", reason: "peer_kcp_input_disabled" });
      t.true(
        plain!.upBytes >= 200_000 && plain!.downBytes >= 200_000,
        "bytes of plain connections are counted",
      );
      const [peer] = await a.peers();
      t.like(peer?.choice, { transport: "tcp", reason: "peer_kcp_input_disabled" });
    });
  },
);

test.serial("rules keep connections off the proxy, or force them onto it", async (t) => {
  const rules = [
    { action: "bypass", ports: "20000-20999", destination: "10.82.0.0/24" },
    { action: "force", destination: "10.82.0.0/24" },
  ];
  await withPair({}, { a: { rules, flags: {} } }, async ({ lab, a }) => {
    for (const [port, expected] of [
      [20_500, "source tcp rule_bypass"],
      [21_500, "source kcp rule_force"],
    ] as const) {
      const { bad } = await lab.transfer({ ...LAN_TO_LAN, port, upBytes: 10_000, downBytes: 10_000 });
      t.deepEqual(bad, []);
      const newest = (await a.connections()).reduce((n, row) => (row.id > n.id ? row : n));
      t.is(`${newest.role} ${newest.transport} ${newest.reason}`, expected);
    }
  });
});

test.serial("small and large UDP datagrams cross as plain packets", async (t) => {
  await withPair({}, {}, async ({ lab }) => {
    t.is((await lab.udpPing({ ...LAN_TO_LAN, count: 50, gapUs: 2000, sizeBytes: 64 })).answered, 50);
    t.is((await lab.udpPing({ ...LAN_TO_LAN, count: 20, gapUs: 2000, sizeBytes: 1300 })).answered, 20);
  });
});

test.serial("closing an entry by request ends both sides at once", async (t) => {
  await withPair({}, {}, async ({ lab, a, b }) => {
    const { bad } = await lab.transfer({
      ...LAN_TO_LAN,
      mode: "duplex",
      upBytes: 100 * MIB,
      downBytes: 100 * MIB,
      stall: { atBytes: 1000, ms: 30_000 },
      seconds: 10,
      meanwhile: async () => {
        await until("a live entry", async () =>
          (await a.connections()).some((row) => row.state === "Connected"),
        );
        const [row] = await a.connections();
        t.is((await a.cli("close", String(row!.id))).status, 0);
        await untilNoEntry(a, 3000);
        await untilNoEntry(b, 3000);
      },
    });
    t.true(bad.length > 0);
    t.like((await a.connections())[0], { reason: "closed_by_user", state: "Closed" });
    t.not((await a.cli("close", "999999")).status, 0);
  });
});

test.serial("the link comes back by itself after the provider was away, and so do connections", async (t) => {
  await withPair({ wan: { delayMs: 2 } }, {}, async ({ lab, a, b }) => {
    await lab.link().down();
    await until(
      "the link given up",
      async () => !(await a.peers()).some((peer) => peer.links.length > 0),
      60_000,
    );
    await lab.link().up();
    await joined({ lab, a, b });
    const { bad } = await lab.transfer({ ...LAN_TO_LAN, upBytes: MIB, downBytes: MIB });
    t.deepEqual(bad, []);
  });
});

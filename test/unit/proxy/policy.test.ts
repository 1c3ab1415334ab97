import test from "ava";
import { NO_FEATURES, NO_PATH, type PeerInfo } from "../../../router-daemon/src/mesh/routes/types.ts";
import {
  FAILING_MS,
  MAX_FAILING_MS,
  MAX_FAILING_PEERS,
  Policy,
  type PolicySettings,
} from "../../../router-daemon/src/proxy/policy.ts";
import { REASONS } from "../../../router-daemon/src/proxy/reason.ts";

const ip = (text: string): number =>
  text.split(".").reduce((value, octet) => (value * 256 + Number(octet)) >>> 0, 0);

const US = 1;
const PEER = 2;
const RELAY = 3;

function peerInfo(peerId: number, over: Partial<PeerInfo> = {}): PeerInfo {
  return {
    peerId,
    hostname: `node-${peerId}`,
    ipv4: ip("10.126.126.2"),
    networkLength: 24,
    exports: [],
    version: "2.6.4-81487c36",
    featureFlags: { ...NO_FEATURES, kcpInput: true },
    instanceId: "",
    natTypes: { udp: 0, tcp: 0 },
    nextHop: peerId,
    pathLength: 1,
    pathLatencyMs: 20,
    leastCost: NO_PATH,
    infoVersion: 1,
    routeId: 1n,
    updatedAtMs: 0,
    directPeers: [],
    ...over,
  };
}

const SETTINGS: PolicySettings = {
  enableKcpProxy: true,
  enableQuicProxy: false,
  proxyPriority: "kcp",
  rules: [],
  ipv4: ip("10.126.126.1"),
  localNetworks: [{ network: ip("192.168.1.0"), prefixLength: 24 }],
};

function make(settings: Partial<PolicySettings> = {}, peers: PeerInfo[] = [peerInfo(PEER)]): Policy {
  const owners = new Map([
    [ip("10.126.126.1"), US],
    [ip("10.126.126.2"), PEER],
    [ip("192.168.2.10"), PEER],
    [ip("172.16.0.5"), US],
  ]);
  return new Policy(
    {
      peerId: US,
      ownerOf: (address) => owners.get(address) ?? 0,
      isBroadcast: (address) => address === ip("10.126.126.255"),
      peer: (id) => peers.find((p) => p.peerId === id),
    },
    { ...SETTINGS, ...settings },
  );
}

const CLIENT = ip("192.168.1.7");

function reasonFor(policy: Policy, destination: string, now = 0): string {
  const decision = policy.decide(CLIENT, ip(destination), 80, now);
  return `${decision.transport} ${decision.reason}`;
}

test("a peer that takes KCP gets KCP, by its own address and by a subnet it exports", (t) => {
  t.is(reasonFor(make(), "10.126.126.2"), "kcp kcp_allowed");
  t.is(reasonFor(make(), "192.168.2.10"), "kcp kcp_allowed");
});

test("each ground for plain TCP has its own reason", (t) => {
  const cases: [string, Policy, string][] = [
    ["kcp_proxy_disabled", make({ enableKcpProxy: false }), "10.126.126.2"],
    ["peer_kcp_input_disabled", make({}, [peerInfo(PEER, { featureFlags: NO_FEATURES })]), "10.126.126.2"],
    [
      "peer_without_kcp",
      make({}, [peerInfo(PEER, { featureFlags: NO_FEATURES, version: "2.1.9" })]),
      "10.126.126.2",
    ],
    ["peer_unknown", make({}, []), "10.126.126.2"],
    ["no_route", make({}, [peerInfo(PEER, { nextHop: 0 })]), "10.126.126.2"],
    ["no_route", make(), "10.126.126.77"],
    ["own_address", make(), "10.126.126.1"],
    ["own_address", make(), "192.168.1.1"],
    ["own_address", make(), "172.16.0.5"],
    ["own_address", make(), "127.0.0.1"],
    ["not_unicast", make(), "10.126.126.255"],
    ["not_unicast", make(), "224.0.0.251"],
    ["not_unicast", make(), "255.255.255.255"],
    [
      "rule_bypass",
      make({ rules: [{ action: "bypass", ports: [{ first: 80, last: 80 }] }] }),
      "10.126.126.2",
    ],
  ];
  for (const [reason, policy, destination] of cases) {
    t.is(reasonFor(policy, destination), `tcp ${reason}`, destination);
    t.true(reason in REASONS);
  }
});

test("a relayed peer is asked for by its first hop only", (t) => {
  const far = peerInfo(PEER, { nextHop: RELAY, pathLength: 2 });
  const kind = peerInfo(RELAY, { featureFlags: NO_FEATURES });
  t.is(reasonFor(make({}, [far, kind]), "10.126.126.2"), "kcp kcp_allowed");
  const unkind = peerInfo(RELAY, { featureFlags: { ...NO_FEATURES, noRelayKcp: true } });
  t.is(reasonFor(make({}, [far, unkind]), "10.126.126.2"), "tcp relay_forbids_kcp");
  t.is(reasonFor(make({}, [far]), "10.126.126.2"), "tcp relay_forbids_kcp");
});

test("the first rule that matches decides; force works with the proxy off, but not against the peer's will", (t) => {
  const rules = [
    {
      action: "bypass",
      source: { network: ip("192.168.1.0"), prefixLength: 24 },
      ports: [{ first: 22, last: 22 }],
    },
    { action: "force", destination: { network: ip("10.126.126.0"), prefixLength: 24 } },
  ] as const;
  const policy = make({ enableKcpProxy: false, rules });
  t.is(policy.decide(CLIENT, ip("10.126.126.2"), 22, 0).reason, "rule_bypass");
  t.is(policy.decide(CLIENT, ip("10.126.126.2"), 80, 0).reason, "rule_force");
  t.is(policy.decide(CLIENT, ip("192.168.2.10"), 80, 0).reason, "kcp_proxy_disabled");
  const unwilling = make({ rules }, [peerInfo(PEER, { featureFlags: NO_FEATURES })]);
  t.is(unwilling.decide(CLIENT, ip("10.126.126.2"), 80, 0).reason, "peer_kcp_input_disabled");
});

test("a peer that failed is left in peace, for longer each time, and forgiven after a success", (t) => {
  const policy = make();
  policy.noteFailure(PEER, "kcp", 0);
  t.is(reasonFor(policy, "10.126.126.2", FAILING_MS - 1), "tcp peer_failing");
  t.is(reasonFor(policy, "10.126.126.2", FAILING_MS), "kcp kcp_allowed");
  policy.noteFailure(PEER, "kcp", FAILING_MS);
  t.is(reasonFor(policy, "10.126.126.2", 3 * FAILING_MS - 1), "tcp peer_failing");
  t.is(reasonFor(policy, "10.126.126.2", 3 * FAILING_MS), "kcp kcp_allowed");
  for (let i = 0; i < 20; i++) policy.noteFailure(PEER, "kcp", 1e6);
  t.is(reasonFor(policy, "10.126.126.2", 1e6 + MAX_FAILING_MS), "kcp kcp_allowed");
  policy.noteFailure(PEER, "kcp", 2e6);
  policy.noteSuccess(PEER, "kcp");
  t.is(reasonFor(policy, "10.126.126.2", 2e6), "kcp kcp_allowed");
});

test("a failure long ago does not make the next one count double", (t) => {
  const policy = make();
  policy.noteFailure(PEER, "kcp", 0);
  policy.noteFailure(PEER, "kcp", 1e7);
  t.is(reasonFor(policy, "10.126.126.2", 1e7 + FAILING_MS), "kcp kcp_allowed");
});

test("the memory of failing peers is bounded and loses the one whose time ends first", (t) => {
  const policy = make();
  for (let peer = 100; peer < 100 + 3 * MAX_FAILING_PEERS; peer++) policy.noteFailure(peer, "kcp", peer);
  t.is(policy.failingPeers, MAX_FAILING_PEERS);
  policy.noteFailure(PEER, "kcp", 100 + 3 * MAX_FAILING_PEERS);
  t.is(reasonFor(policy, "10.126.126.2", 1000), "tcp peer_failing");
});

// ── KCP and QUIC ────────────────────────────────────────────────────────────────────────────────────────────────────────

const BOTH_INPUTS = { ...NO_FEATURES, kcpInput: true, quicInput: true };
const BOTH_PROXIES = { enableKcpProxy: true, enableQuicProxy: true };
const QUIC_ONLY = { enableKcpProxy: false, enableQuicProxy: true };

test("every combination of proxies, inputs and priority: the preferred one that is allowed, else the first one's reason", (t) => {
  const cases: [Partial<PolicySettings>, Partial<PeerInfo["featureFlags"]>, string][] = [
    [BOTH_PROXIES, { kcpInput: true, quicInput: true }, "kcp kcp_allowed"],
    [BOTH_PROXIES, { kcpInput: false, quicInput: true }, "quic quic_allowed"],
    [BOTH_PROXIES, { kcpInput: true, quicInput: false }, "kcp kcp_allowed"],
    [BOTH_PROXIES, { kcpInput: false, quicInput: false }, "tcp peer_kcp_input_disabled"],
    [{ ...BOTH_PROXIES, proxyPriority: "quic" }, { kcpInput: true, quicInput: true }, "quic quic_allowed"],
    [{ ...BOTH_PROXIES, proxyPriority: "quic" }, { kcpInput: true, quicInput: false }, "kcp kcp_allowed"],
    [
      { ...BOTH_PROXIES, proxyPriority: "quic" },
      { kcpInput: false, quicInput: false },
      "tcp peer_quic_input_disabled",
    ],
    [QUIC_ONLY, { kcpInput: true, quicInput: true }, "quic quic_allowed"],
    [QUIC_ONLY, { kcpInput: true, quicInput: false }, "tcp peer_quic_input_disabled"],
    [{ enableKcpProxy: true }, { kcpInput: false, quicInput: true }, "tcp peer_kcp_input_disabled"],
    [{ enableKcpProxy: true, proxyPriority: "quic" }, { kcpInput: true, quicInput: true }, "kcp kcp_allowed"],
  ];
  for (const [settings, inputs, expected] of cases) {
    const peer = peerInfo(PEER, { featureFlags: { ...NO_FEATURES, ...inputs } });
    t.is(reasonFor(make(settings, [peer]), "10.126.126.2"), expected, JSON.stringify([settings, inputs]));
  }
});

test("a version that has no QUIC in peer packets yet is told apart from one that has it switched off", (t) => {
  const old = peerInfo(PEER, { version: "2.5.0-abc" });
  t.is(reasonFor(make(QUIC_ONLY, [old]), "10.126.126.2"), "tcp peer_without_quic");
});

test("a relay may forbid one of the two", (t) => {
  const far = peerInfo(PEER, { nextHop: RELAY, pathLength: 2, featureFlags: BOTH_INPUTS });
  const relay = (flags: Partial<PeerInfo["featureFlags"]>) =>
    peerInfo(RELAY, { featureFlags: { ...NO_FEATURES, ...flags } });
  const choose = (flags: Partial<PeerInfo["featureFlags"]>, settings: Partial<PolicySettings>): string =>
    reasonFor(make(settings, [far, relay(flags)]), "10.126.126.2");
  t.is(choose({ noRelayKcp: true }, BOTH_PROXIES), "quic quic_allowed");
  t.is(choose({ noRelayQuic: true }, BOTH_PROXIES), "kcp kcp_allowed");
  t.is(choose({ noRelayQuic: true }, QUIC_ONLY), "tcp relay_forbids_quic");
  t.is(choose({ noRelayKcp: true, noRelayQuic: true }, BOTH_PROXIES), "tcp relay_forbids_kcp");
});

test("a peer that fails over KCP is tried over QUIC meanwhile, and the other way round", (t) => {
  const policy = make(BOTH_PROXIES, [peerInfo(PEER, { featureFlags: BOTH_INPUTS })]);
  policy.noteFailure(PEER, "kcp", 0);
  t.is(reasonFor(policy, "10.126.126.2", 1), "quic quic_allowed");
  policy.noteFailure(PEER, "quic", 0);
  t.is(reasonFor(policy, "10.126.126.2", 1), "tcp peer_failing");
  policy.noteSuccess(PEER, "quic");
  t.is(reasonFor(policy, "10.126.126.2", 1), "quic quic_allowed");
  t.is(reasonFor(policy, "10.126.126.2", FAILING_MS), "kcp kcp_allowed");
});

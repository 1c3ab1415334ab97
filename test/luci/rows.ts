/** Rows of tables that a lab does not have: very many, or with names that mean harm. */

/** A connection; `at` makes it another one. */
export function connection(at: number, more: object = {}): object {
  return {
    id: at,
    role: "source",
    src: `10.81.0.${at % 200}:${1000 + at}`,
    dst: "10.82.0.2:80",
    peerId: 1,
    peerName: "b",
    transport: "kcp",
    reason: "kcp_allowed",
    reasonText: "x",
    state: "Connected",
    startTime: 1,
    upBytes: Date.now(),
    downBytes: Date.now(),
    upRate: 1e6 / (at + 1),
    downRate: 1,
    rttMs: 1,
    retransmittedShare: 0,
    ageMs: Date.now() % 1e6,
    ...more,
  };
}

/** A peer whose names, version and subnet are all this. */
export function peerNamed(name: string, at: number): object {
  return {
    peerId: at + 1,
    hostname: name,
    ipv4: "10.0.0.1/24",
    pathLength: 1,
    nextHopPeerId: at + 1,
    latencyMs: 1,
    lossShare: 0,
    rxBytes: 1,
    txBytes: 1,
    links: [],
    version: name,
    kcpInput: true,
    quicInput: false,
    exportedSubnets: [name],
    choice: { transport: "kcp", reason: "kcp_allowed", reasonText: name },
  };
}

/**
 * Plain KCP as every deployed node speaks it, written for the tests from the protocol notes (proxies.md 4): clear, not
 * fast. It reproduces `kcp_traces` byte for byte and plays the stock peer in the simulations.
 */
import { Command, decodeSegments, encodeSegment, HEADER_BYTES, type Segment } from "../../src/segment.ts";

export interface PlainKcpOptions {
  conv: number;
  mtu?: number;
  sendWindow?: number;
  receiveWindow?: number;
  nodelay?: number;
  intervalMs?: number;
  fastResend?: number;
  /** `nc`: the congestion window is ignored. */
  noCongestion?: boolean;
  stream?: boolean;
  output: (datagram: Uint8Array) => void;
}

interface Item {
  sn: number;
  frg: number;
  ts: number;
  resendts: number;
  rto: number;
  fastack: number;
  xmit: number;
  data: Uint8Array;
}

const MAX_RTO = 60_000;
const FAST_LIMIT = 5;
const FIRST_PROBE = 7_000;
const MAX_PROBE = 120_000;

const diff = (a: number, b: number): number => (a - b) | 0;
const u32 = (a: number): number => a >>> 0;

export class PlainKcp {
  readonly #o: Required<PlainKcpOptions>;
  readonly mss: number;
  sndUna = 0;
  sndNxt = 0;
  rcvNxt = 0;
  rmtWnd = 128;
  cwnd = 0;
  incr = 0;
  ssthresh = 2;
  rto = 200;
  srtt = 0;
  rttvar = 0;
  state = 0;
  probeWait = 0;
  // Counted for the tests; no part of the protocol.
  retransmitted = 0;
  duplicates = 0;
  readonly #minrto: number;
  #tsProbe = 0;
  #ask = false;
  #tell = false;
  readonly #sndQueue: Item[] = [];
  #sndBuf: Item[] = [];
  readonly #rcvBuf: { sn: number; frg: number; data: Uint8Array }[] = [];
  readonly #rcvQueue: { frg: number; data: Uint8Array }[] = [];
  #ackList: { sn: number; ts: number }[] = [];
  #current = 0;
  #tsFlush = 0;
  #updated = false;

  constructor(options: PlainKcpOptions) {
    this.#o = {
      mtu: 1200,
      sendWindow: 1024,
      receiveWindow: 1024,
      nodelay: 1,
      intervalMs: 10,
      fastResend: 2,
      noCongestion: true,
      stream: true,
      ...options,
    };
    this.mss = this.#o.mtu - HEADER_BYTES;
    this.#minrto = this.#o.nodelay ? 30 : 100;
  }

  /** Segments not yet acknowledged. */
  get waiting(): number {
    return this.#sndBuf.length + this.#sndQueue.length;
  }

  /** Bytes taken, or a negative error. */
  send(data: Uint8Array): number {
    let rest = data;
    let taken = 0;
    if (this.#o.stream && this.#sndQueue.length > 0) {
      const last = this.#sndQueue[this.#sndQueue.length - 1]!;
      if (last.data.length < this.mss) {
        const count = Math.min(this.mss - last.data.length, rest.length);
        const joined = new Uint8Array(last.data.length + count);
        joined.set(last.data);
        joined.set(rest.subarray(0, count), last.data.length);
        last.data = joined;
        rest = rest.subarray(count);
        taken = count;
      }
      if (rest.length === 0) return taken;
    }
    const count = Math.max(1, Math.ceil(rest.length / this.mss));
    if (count >= 128) return taken > 0 ? taken : -2;
    for (let i = 0; i < count; i++) {
      const data = rest.slice(i * this.mss, (i + 1) * this.mss);
      const frg = this.#o.stream ? 0 : count - 1 - i;
      this.#sndQueue.push({ sn: 0, frg, ts: 0, resendts: 0, rto: 0, fastack: 0, xmit: 0, data });
      taken += data.length;
    }
    return taken;
  }

  /** 0, or a negative error. */
  input(datagram: Uint8Array): number {
    const unaBefore = this.sndUna;
    if (datagram.length < HEADER_BYTES) return -1;
    const { segments, error } = decodeSegments(datagram);
    let newest: { sn: number; ts: number } | undefined;
    let result = error === "length" ? -2 : 0;
    for (const segment of segments) {
      if (segment.conv !== u32(this.#o.conv)) {
        result = -1;
        break;
      }
      if (segment.cmd < Command.push || segment.cmd > Command.tellWindow) {
        result = -3;
        break;
      }
      this.rmtWnd = segment.wnd;
      while (this.#sndBuf.length > 0 && diff(segment.una, this.#sndBuf[0]!.sn) > 0) this.#sndBuf.shift();
      this.#shrink();
      if (segment.cmd === Command.ack) {
        const rtt = diff(this.#current, segment.ts);
        if (rtt >= 0) this.#updateRto(rtt);
        if (diff(segment.sn, this.sndUna) >= 0 && diff(segment.sn, this.sndNxt) < 0) {
          const index = this.#sndBuf.findIndex((item) => item.sn === segment.sn);
          if (index >= 0) this.#sndBuf.splice(index, 1);
        }
        this.#shrink();
        if (newest === undefined || (diff(segment.sn, newest.sn) > 0 && diff(segment.ts, newest.ts) > 0)) {
          newest = { sn: segment.sn, ts: segment.ts };
        }
      } else if (segment.cmd === Command.push) {
        this.#push(segment);
      } else if (segment.cmd === Command.askWindow) {
        this.#tell = true;
      }
    }
    if (newest && diff(newest.sn, this.sndUna) >= 0 && diff(newest.sn, this.sndNxt) < 0) {
      for (const item of this.#sndBuf) {
        if (diff(item.sn, newest.sn) < 0 && diff(newest.ts, item.ts) >= 0) item.fastack++;
      }
    }
    if (diff(this.sndUna, unaBefore) > 0 && this.cwnd < this.rmtWnd) this.#grow();
    return result;
  }

  /** The first item (or message), or undefined. */
  receive(): Uint8Array | undefined {
    const wasFull = this.#rcvQueue.length >= this.#o.receiveWindow;
    const first = this.#rcvQueue[0];
    if (first === undefined || this.#rcvQueue.length < first.frg + 1) return undefined;
    const parts: Uint8Array[] = [];
    for (;;) {
      const item = this.#rcvQueue.shift()!;
      parts.push(item.data);
      if (item.frg === 0 || this.#rcvQueue.length === 0) break;
    }
    this.#refill();
    if (wasFull && this.#rcvQueue.length < this.#o.receiveWindow) this.#tell = true;
    const total = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      total.set(part, at);
      at += part.length;
    }
    return total;
  }

  update(now: number): void {
    this.#current = u32(now);
    if (!this.#updated) {
      this.#updated = true;
      this.#tsFlush = this.#current;
    }
    let slap = diff(this.#current, this.#tsFlush);
    if (slap >= 10_000 || slap < -10_000) {
      this.#tsFlush = this.#current;
      slap = 0;
    }
    if (slap < 0) return;
    this.#tsFlush = u32(this.#tsFlush + this.#o.intervalMs);
    if (diff(this.#current, this.#tsFlush) >= 0) this.#tsFlush = u32(this.#current + this.#o.intervalMs);
    this.flush();
  }

  check(now: number): number {
    const current = u32(now);
    if (!this.#updated) return current;
    const slap = diff(current, this.#tsFlush);
    if (slap >= 10_000 || slap < -10_000 || slap >= 0) return current;
    let wait = Math.min(this.#o.intervalMs, -slap);
    for (const item of this.#sndBuf) {
      const due = diff(item.resendts, current);
      if (due <= 0) return current;
      wait = Math.min(wait, due);
    }
    return u32(current + wait);
  }

  flush(): void {
    if (!this.#updated) return;
    const current = this.#current;
    const una = this.rcvNxt;
    const wnd = Math.max(0, this.#o.receiveWindow - this.#rcvQueue.length);
    let buffer: Uint8Array[] = [];
    let size = 0;
    const emit = () => {
      if (size === 0) return;
      const datagram = new Uint8Array(size);
      let at = 0;
      for (const part of buffer) {
        datagram.set(part, at);
        at += part.length;
      }
      buffer = [];
      size = 0;
      this.#o.output(datagram);
    };
    const put = (cmd: number, frg: number, ts: number, sn: number, data: Uint8Array) => {
      if (size + HEADER_BYTES + data.length > this.#o.mtu) emit();
      const segment = encodeSegment({ conv: this.#o.conv, cmd, frg, wnd, ts, sn, una, data });
      buffer.push(segment);
      size += segment.length;
    };

    const none = new Uint8Array(0);
    let last = { sn: 0, ts: 0 };
    for (const ack of this.#ackList) {
      put(Command.ack, 0, ack.ts, ack.sn, none);
      last = ack;
    }
    this.#ackList = [];

    if (this.rmtWnd === 0) {
      if (this.probeWait === 0) {
        this.probeWait = FIRST_PROBE;
        this.#tsProbe = u32(current + this.probeWait);
      } else if (diff(current, this.#tsProbe) >= 0) {
        this.probeWait = Math.min(MAX_PROBE, this.probeWait + Math.floor(this.probeWait / 2));
        this.#tsProbe = u32(current + this.probeWait);
        this.#ask = true;
      }
    } else {
      this.probeWait = 0;
      this.#tsProbe = 0;
    }
    if (this.#ask) put(Command.askWindow, 0, last.ts, last.sn, none);
    if (this.#tell) put(Command.tellWindow, 0, last.ts, last.sn, none);
    this.#ask = false;
    this.#tell = false;

    let window = Math.min(this.#o.sendWindow, this.rmtWnd);
    if (!this.#o.noCongestion) window = Math.min(window, this.cwnd);
    while (diff(this.sndNxt, u32(this.sndUna + window)) < 0 && this.#sndQueue.length > 0) {
      const item = this.#sndQueue.shift()!;
      item.sn = this.sndNxt;
      this.sndNxt = u32(this.sndNxt + 1);
      item.resendts = current;
      item.rto = this.rto;
      this.#sndBuf.push(item);
    }

    const nodelay = this.#o.nodelay;
    const margin = nodelay ? 0 : this.rto >>> 3;
    let change = 0;
    let lost = false;
    for (const item of this.#sndBuf) {
      let needed = false;
      if (item.xmit === 0) {
        needed = true;
        item.rto = this.rto;
        item.resendts = u32(current + item.rto + margin);
      } else if (diff(current, item.resendts) >= 0) {
        needed = true;
        if (nodelay === 0) item.rto += Math.max(item.rto, this.rto);
        else item.rto += Math.floor((nodelay === 1 ? item.rto : this.rto) / 2);
        item.resendts = u32(current + item.rto);
        lost = true;
      } else if (this.#o.fastResend > 0 && item.fastack >= this.#o.fastResend && item.xmit <= FAST_LIMIT) {
        needed = true;
        item.fastack = 0;
        item.resendts = u32(current + item.rto);
        change++;
      }
      if (!needed) continue;
      if (item.xmit > 0) this.retransmitted++;
      item.xmit++;
      item.ts = current;
      put(Command.push, item.frg, current, item.sn, item.data);
      if (item.xmit >= 20) this.state = -1;
    }
    emit();

    if (change > 0) {
      this.ssthresh = Math.max(2, diff(this.sndNxt, this.sndUna) >>> 1);
      this.cwnd = this.ssthresh + this.#o.fastResend;
      this.incr = this.cwnd * this.mss;
    }
    if (lost) {
      this.ssthresh = Math.max(2, window >>> 1);
      this.cwnd = 1;
      this.incr = this.mss;
    }
    if (this.cwnd < 1) {
      this.cwnd = 1;
      this.incr = this.mss;
    }
  }

  #push(segment: Segment): void {
    if (diff(segment.sn, u32(this.rcvNxt + this.#o.receiveWindow)) >= 0) return;
    this.#ackList.push({ sn: segment.sn, ts: segment.ts });
    if (diff(segment.sn, this.rcvNxt) < 0) {
      this.duplicates++;
      return;
    }
    let at = this.#rcvBuf.length;
    while (at > 0 && diff(this.#rcvBuf[at - 1]!.sn, segment.sn) >= 0) at--;
    if (at < this.#rcvBuf.length && this.#rcvBuf[at]!.sn === segment.sn) {
      this.duplicates++;
    } else {
      this.#rcvBuf.splice(at, 0, { sn: segment.sn, frg: segment.frg, data: segment.data });
    }
    this.#refill();
  }

  #refill(): void {
    while (
      this.#rcvBuf.length > 0 &&
      this.#rcvBuf[0]!.sn === this.rcvNxt &&
      this.#rcvQueue.length < this.#o.receiveWindow
    ) {
      this.#rcvQueue.push(this.#rcvBuf.shift()!);
      this.rcvNxt = u32(this.rcvNxt + 1);
    }
  }

  #shrink(): void {
    this.sndUna = this.#sndBuf.length > 0 ? this.#sndBuf[0]!.sn : this.sndNxt;
  }

  #updateRto(rtt: number): void {
    if (this.srtt === 0) {
      this.srtt = rtt;
      this.rttvar = Math.floor(rtt / 2);
    } else {
      this.rttvar = Math.floor((3 * this.rttvar + Math.abs(rtt - this.srtt)) / 4);
      this.srtt = Math.max(1, Math.floor((7 * this.srtt + rtt) / 8));
    }
    const rto = this.srtt + Math.max(this.#o.intervalMs, 4 * this.rttvar);
    this.rto = Math.min(MAX_RTO, Math.max(this.#minrto, rto));
  }

  #grow(): void {
    const mss = this.mss;
    if (this.cwnd < this.ssthresh) {
      this.cwnd++;
      this.incr += mss;
    } else {
      this.incr = Math.max(this.incr, mss);
      this.incr += Math.floor((mss * mss) / this.incr) + Math.floor(mss / 16);
      if ((this.cwnd + 1) * mss <= this.incr) this.cwnd = Math.floor((this.incr + mss - 1) / mss);
    }
    if (this.cwnd > this.rmtWnd) {
      this.cwnd = this.rmtWnd;
      this.incr = this.rmtWnd * mss;
    }
  }
}

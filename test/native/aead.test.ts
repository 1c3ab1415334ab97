/**
 * AES-128-GCM in C, every implementation on every processor that is built for: against published answers and against
 * node:crypto. Foreign processors are emulated (qemu), which does not punish unaligned access: the sanitizers' build does.
 *
 * Not reached: a wrap of the 32-bit block counter. With 96-bit nonces it starts at 1 and would need 64 GiB in one packet.
 */
import { createCipheriv } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";

import { seededRandom } from "../random.ts";
import { compile, lacks, MACHINES, type Machine, run, SANITIZED } from "./machine.ts";

const PROGRAM = "aead-driver";
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEED = Number(process.env.SEED ?? 0x5eed1);

/** What must be there, best first. This machine's processor is its own business. */
const EXPECTED: Readonly<Record<string, string>> = {
  "emulated aarch64": "arm64 mbedtls",
  "emulated arm": "mbedtls",
  "emulated arm max,neon=off": "mbedtls",
  "emulated mipsel": "mbedtls",
  "emulated mips": "mbedtls",
  "emulated x86_64 qemu64": "mbedtls",
  "emulated x86_64 Westmere": "x86 x86-narrow mbedtls",
};

interface Case {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly plaintext: Uint8Array;
}

interface Published {
  readonly cases: readonly { name: string; key: string; nonce: string; plaintext: string; sealed: string }[];
}

function hex(bytes: Uint8Array): string {
  return bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex");
}

function sealed({ key, nonce, plaintext }: Case): Uint8Array {
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  // Not a Buffer: a slice of that is no copy.
  return Uint8Array.from(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

function generator(seed: number) {
  const random = seededRandom(seed);
  const bytes = (length: number) => Uint8Array.from({ length }, () => random() & 0xff);
  return {
    random,
    bytes,
    case: (length: number): Case => ({
      key: bytes(KEY_BYTES),
      nonce: bytes(NONCE_BYTES),
      plaintext: bytes(length),
    }),
  };
}

/** One implementation on one machine: asks many questions in one run. */
class Subject {
  readonly #machine: Machine;
  readonly #backend: string;
  readonly #questions: string[] = [];
  readonly #answers: string[] = [];

  constructor(machine: Machine, backend: string) {
    this.#machine = machine;
    this.#backend = backend;
  }

  #ask(
    verb: string,
    { key, nonce }: Case,
    bytes: Uint8Array,
    from: number,
    to: number,
    answer: string,
  ): void {
    this.#questions.push([verb, this.#backend, hex(key), hex(nonce), hex(bytes), from, to].join(" "));
    this.#answers.push(answer);
  }

  /** Sealing gives what node:crypto gives, and opening that gives the plaintext again. */
  roundTrip(packet: Case, from = 0, to = 0): void {
    this.#ask("seal", packet, packet.plaintext, from, to, hex(sealed(packet)));
    this.#ask("open", packet, sealed(packet), from, to, hex(packet.plaintext));
  }

  opens(packet: Case, bytes: Uint8Array): void {
    this.#ask("open", packet, bytes, 0, 0, hex(packet.plaintext));
  }

  refuses(packet: Case, bytes: Uint8Array): void {
    this.#ask("open", packet, bytes, 0, 0, "forged");
  }

  verify(t: ExecutionContext): void {
    const got = run(PROGRAM, this.#machine, this.#questions);
    t.is(got.length, this.#questions.length);
    const wrong = got.findIndex((answer, i) => answer !== this.#answers[i]);
    if (wrong >= 0) t.is(got[wrong], this.#answers[wrong], this.#questions[wrong]);
  }
}

for (const machine of MACHINES) {
  const missing = lacks(machine);
  if (missing !== undefined) {
    test.skip(`${machine.name} (${missing})`, () => undefined);
    continue;
  }
  compile(PROGRAM, machine);
  const [backends = ""] = run(PROGRAM, machine, ["backends"]);
  test(`${machine.name}: the processor's own instructions are found, and only where they are`, (t) => {
    const expected = EXPECTED[machine.name];
    if (expected !== undefined) t.is(backends, expected);
    else t.regex(backends, /(openssl|mbedtls)$/);
  });
  for (const backend of backends.split(" ")) testBackend(machine, backend);
}

// Not of every machine: it needs a linker that can put itself between.
test("the sanitizers' build: a key is wiped before its memory is given back", (t) => {
  const missing = lacks(SANITIZED);
  if (missing !== undefined) {
    t.log(missing);
    t.pass();
    return;
  }
  const [backends = ""] = run(PROGRAM, SANITIZED, ["backends"]);
  for (const backend of backends.split(" ")) {
    const [answer] = run(PROGRAM, SANITIZED, [`wipe ${backend} 000102030405060708090a0b0c0d0e0f`]);
    t.is(answer, "wiped", backend);
  }
});

function testBackend(machine: Machine, backend: string): void {
  const subject = () => new Subject(machine, backend);
  const name = `${machine.name}, ${backend}`;

  test(`${name}: gives the published answers`, (t) => {
    const text = readFileSync(join(import.meta.dirname, "../vectors/aes-128-gcm.json"), "utf8");
    const published = JSON.parse(text) as Published;
    const s = subject();
    for (const entry of published.cases) {
      const [key, nonce, plaintext, answer] = [entry.key, entry.nonce, entry.plaintext, entry.sealed].map(
        (field) => Buffer.from(field, "hex"),
      ) as [Buffer, Buffer, Buffer, Buffer];
      const packet = { key, nonce, plaintext };
      // The file's answers, not node:crypto's, which this checks too.
      t.deepEqual(Buffer.from(sealed(packet)), answer, entry.name);
      s.roundTrip(packet);
    }
    s.verify(t);
  });

  test(`${name}: every length, around each step of the loops and around a packet`, (t) => {
    const { case: make } = generator(SEED);
    const s = subject();
    const ranges = [
      [0, 80],
      [112, 144],
      [240, 288],
      [496, 544],
      [1376, 1424],
    ] as const;
    for (const [first, last] of ranges) {
      for (let length = first; length <= last; length++) s.roundTrip(make(length));
    }
    s.roundTrip(make(32_500));
    s.verify(t);
  });

  test(`${name}: random packets at random places are what node:crypto makes (seed ${SEED})`, (t) => {
    const { random, case: make } = generator(SEED + 1);
    const s = subject();
    for (let i = 0; i < 150; i++) s.roundTrip(make(random() % 2001), random() % 64, random() % 64);
    s.verify(t);
  });

  test(`${name}: any alignment of input and output`, (t) => {
    const { case: make } = generator(SEED + 2);
    const s = subject();
    const packet = make(16 * 17 + 5);
    for (let from = 0; from < 16; from++) {
      for (let to = 0; to < 16; to++) s.roundTrip(packet, from, to);
    }
    s.verify(t);
  });

  test(`${name}: ciphertexts of zeros, of ones and of a single bit`, (t) => {
    const { case: make } = generator(SEED + 3);
    const s = subject();
    for (const length of [1, 16, 33, 128, 300]) {
      for (const fill of [0x00, 0xff, 0x80, 0x01]) {
        const packet = make(length);
        const stream = sealed({ ...packet, plaintext: new Uint8Array(length) });
        s.roundTrip({ ...packet, plaintext: Uint8Array.from(packet.plaintext, (_, i) => stream[i]! ^ fill) });
      }
    }
    const packet = make(16);
    const stream = sealed({ ...packet, plaintext: new Uint8Array(16) });
    for (let bit = 0; bit < 128; bit++) {
      const plaintext = stream.slice(0, 16);
      plaintext[bit >> 3]! ^= 1 << (bit & 7);
      s.roundTrip({ ...packet, plaintext });
    }
    for (const key of [new Uint8Array(KEY_BYTES), new Uint8Array(KEY_BYTES).fill(0xff)]) {
      s.roundTrip({ key, nonce: new Uint8Array(NONCE_BYTES).fill(0xff), plaintext: new Uint8Array(48) });
    }
    s.verify(t);
  });

  test(`${name}: one bit turned anywhere is a forgery, in tag, ciphertext, nonce or key`, (t) => {
    const { random, case: make } = generator(SEED + 4);
    const s = subject();
    const turned = (bytes: Uint8Array, bit: number) => {
      const copy = bytes.slice();
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    for (const length of [0, 33]) {
      const packet = make(length);
      const good = sealed(packet);
      for (let bit = 0; bit < good.length * 8; bit++) s.refuses(packet, turned(good, bit));
      for (let bit = 0; bit < NONCE_BYTES * 8; bit++) {
        s.refuses({ ...packet, nonce: turned(packet.nonce, bit) }, good);
      }
      for (let bit = 0; bit < KEY_BYTES * 8; bit++) {
        s.refuses({ ...packet, key: turned(packet.key, bit) }, good);
      }
      s.opens(packet, good);
    }
    const packet = make(1400);
    const good = sealed(packet);
    for (let i = 0; i < 100; i++) s.refuses(packet, turned(good, random() % (good.length * 8)));
    s.opens(packet, good);
    s.verify(t);
  });

  test(`${name}: other tags, cut and lengthened packets are forgeries`, (t) => {
    const { bytes, case: make } = generator(SEED + 5);
    const s = subject();
    for (const length of [0, 16, 100, 1400]) {
      const packet = make(length);
      const good = sealed(packet);
      const withTag = (tag: Uint8Array) => Buffer.concat([good.subarray(0, length), tag]);
      const tag = good.subarray(length);
      s.refuses(packet, withTag(new Uint8Array(TAG_BYTES)));
      s.refuses(packet, withTag(new Uint8Array(TAG_BYTES).fill(0xff)));
      s.refuses(packet, withTag(tag.map((byte) => byte ^ 0xff)));
      s.refuses(packet, withTag(tag.slice().reverse()));
      s.refuses(packet, withTag(Buffer.concat([tag.subarray(8), tag.subarray(0, 8)])));
      s.refuses(packet, withTag(sealed(make(length)).subarray(length)));
      s.refuses(packet, bytes(length + TAG_BYTES));
      s.refuses(packet, Buffer.concat([good, new Uint8Array(1)]));
      // Zeros at the end hash like the filling of a last block: the length has to make the difference.
      s.refuses(packet, Buffer.concat([good.subarray(0, length), new Uint8Array(1), tag]));
      if (length > 0) s.refuses(packet, good.subarray(1));
      if (length > 0) s.refuses(packet, Buffer.concat([good.subarray(0, length - 1), tag]));
    }
    s.verify(t);
  });
}

/**
 * Calls every function of the native module, and of a core, with what nobody should give them. Prints how often that was, and each
 * exception that is no sentence. Argument: the seed.
 */
import { native } from "kcp-router:native";
import { seededRandom } from "../../random.ts";
import { print } from "./print.ts";

type Call = (...args: unknown[]) => unknown;

const SLOTS = 16;
const SLOT_BYTES = 1536;
const ARENA_BYTES = 1 << 20;
const CALLS = 400;

const random = seededRandom(Number(native.argv[1]));
const pick = <T>(from: readonly T[]): T => from[random() % from.length]!;

/** ES2024, which the library's types do not know yet. */
function detach(buffer: ArrayBuffer): void {
  (buffer as unknown as { transfer(): void }).transfer();
}

const gone = new Uint8Array(new ArrayBuffer(8));
detach(gone.buffer);

/** Values of every kind. No string here may name something outside the working folder, nor a device. */
const ANYTHING: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  "",
  "name",
  "a\0b",
  "n".repeat(300),
  Symbol("symbol"),
  1n,
  {},
  [],
  () => 0,
  Number.NaN,
  -1,
  0,
  3,
  5.5,
  2 ** 31,
  -(2 ** 31),
  1e300,
  Number.POSITIVE_INFINITY,
  new Uint8Array(0),
  new Uint8Array(64),
  new Int32Array(4),
  new Float64Array(2),
  new ArrayBuffer(16),
  gone,
];
/** Offsets, lengths, handles: inside, at the edge, outside. */
const NUMBERS: readonly number[] = [
  -1,
  0,
  1,
  2,
  7,
  16,
  63,
  64,
  1500,
  1536,
  SLOTS * SLOT_BYTES,
  ARENA_BYTES / 4 - 1,
  ARENA_BYTES / 4,
  ARENA_BYTES - 18,
  ARENA_BYTES - 1,
  ARENA_BYTES,
  2 ** 31 - 1,
  -(2 ** 31),
  16385,
  16386,
  Number.NaN,
];

let calls = 0;
const unspoken = new Set<string>();
const kinds = new Set<string>();

function attempt(name: string, call: Call, args: readonly unknown[]): unknown {
  calls++;
  try {
    return call(...args);
  } catch (error) {
    kinds.add(error instanceof Error ? error.name : typeof error);
    if (!(error instanceof Error) || !/^\w.*\.$/.test(error.message))
      unspoken.add(`${name}: ${String(error)}`);
    return undefined;
  }
}

const listOf = (values: readonly unknown[], length: number): unknown[] =>
  Array.from({ length }, () => pick(values));

/** These would end us, starve us, ask the network, or make devices when called rightly. */
const NOT_RIGHTLY = new Set(["exit", "setEngineMemoryLimit", "resolve", "tunOpen"]);

function callAll(object: object, names: readonly string[], values: readonly unknown[]): void {
  for (const name of names) {
    const call = (object as Record<string, Call>)[name]!.bind(object);
    for (let i = 0; i < CALLS; i++) {
      const args = listOf(values, Math.min(call.length, 7));
      if (NOT_RIGHTLY.has(name)) args[0] = pick([undefined, null, true, {}, Symbol("symbol")]);
      const result = attempt(name, call, args);
      if (name === "startTimer" && typeof result === "number") native.stopTimer(result);
    }
  }
}

function functionsOf(object: object): string[] {
  return Object.getOwnPropertyNames(object).filter(
    (name) => name !== "constructor" && typeof (object as Record<string, unknown>)[name] === "function",
  );
}

callAll(native, functionsOf(native), ANYTHING);
native.setEngineMemoryLimit(256 << 20);

const arena = native.makeArena(ARENA_BYTES);
const core = native.create(arena, SLOTS, SLOT_BYTES, SLOTS * SLOT_BYTES, 1 << 17, 0);
if ("error" in core) throw new Error(core.message);
const words = new Int32Array(arena);
const names = functionsOf(Object.getPrototypeOf(core) as object).filter((name) => name !== "dispose");
callAll(core, names, ANYTHING);
for (let round = 0; round < 4; round++) {
  // What the calls find in the arena: mostly more of the same numbers.
  for (let i = 0; i < words.length; i += 3) words[i] = pick(NUMBERS);
  callAll(core, names, NUMBERS);
}

const results = (name: string, ...args: number[]): unknown =>
  attempt(name, (core as unknown as Record<string, Call>)[name]!.bind(core), args);
const loose = (core as unknown as Record<string, Call>).poll!;
attempt("loose", () => loose(0, 1), []);
core.dispose();
const disposed = names.filter(
  (name) => !["now", "unixTime", "describeError", "tunOpen", "udpOpen", "counters", "onReady"].includes(name),
);
const afterDispose = new Set(disposed.map((name) => results(name, 0, 0, 0, 0, 0, 0, 0)));

const second = native.create(arena, SLOTS, SLOT_BYTES, SLOTS * SLOT_BYTES, 1 << 17, 0);
if ("error" in second) throw new Error(second.message);
detach(arena);
let detached = "";
try {
  second.poll(0, 1);
} catch (error) {
  detached = String(error);
}
print({
  calls,
  unspoken: [...unspoken],
  kinds: [...kinds].sort(),
  afterDispose: [...afterDispose],
  detached,
});
native.exit(0);

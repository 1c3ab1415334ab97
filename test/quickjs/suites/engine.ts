/** What must hold of the language although the engine does without some checks (`native/quickjs/edits.sed`). */
import test from "ava";

test("a variable declared without a value is undefined in each turn of a loop", (t) => {
  const seen: unknown[] = [];
  for (let turn = 0; turn < 3; turn++) {
    let value: number | undefined;
    seen.push(value);
    value = turn;
    switch (turn) {
      case 1: {
        let inner: string | undefined;
        seen.push(inner);
        inner = "left over";
        seen.push(inner);
        break;
      }
      default:
        seen.push(value);
    }
  }
  t.deepEqual(seen, [undefined, 0, undefined, undefined, "left over", undefined, 2]);
});

test("closures made in a loop keep what was theirs", (t) => {
  const later: (() => number)[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const twice = turn * 2;
    later.push(() => turn * 10 + twice);
  }
  for (const value of [7, 8]) later.push(() => value);
  t.deepEqual(
    later.map((run) => run()),
    [0, 12, 24, 7, 8],
  );
});

test("generators and async functions find their variables again", async (t) => {
  function* count(): Generator<number> {
    for (let turn = 0; turn < 2; turn++) {
      const before = turn + 1;
      yield before;
      yield before * 10;
    }
  }
  t.deepEqual([...count()], [1, 10, 2, 20]);
  const slow = async (value: number): Promise<number> => {
    const before = value;
    await Promise.resolve();
    const after = before + 1;
    return after;
  };
  t.deepEqual(await Promise.all([slow(1), slow(5)]), [2, 6]);
});

test("classes made in a loop have fields of their own, and none of the one before", (t) => {
  const made = [true, false, true].map((withField, at) => {
    const Made = withField
      ? class {
          #value = at;
          plain = at;
          get value(): number {
            return this.#value;
          }
        }
      : class {
          readonly none = true;
        };
    return Object.keys(new Made());
  });
  t.deepEqual(made, [["plain"], ["none"], ["plain"]]);
});

class Base {
  #value = "base";
  #say(): string {
    return this.#value;
  }
  get #said(): string {
    return `${this.#say()}!`;
  }
  base(): string {
    return this.#said;
  }
  static isOne(value: object): boolean {
    return #value in value;
  }
  static read(value: Base): string {
    return value.#value;
  }
}

class Derived extends Base {
  #value = "derived";
  #say(): string {
    return this.#value;
  }
  set #both(value: string) {
    this.#value = value;
  }
  derived(): string {
    const before = this.#say();
    this.#both = "changed";
    return `${before}, ${this.#say()}`;
  }
}

test("private names of a class and of its base are different things", (t) => {
  const one = new Derived();
  t.is(one.base(), "base!");
  t.is(one.derived(), "derived, changed");
  t.is(one.base(), "base!");
  t.deepEqual(Object.keys(one), []);
  t.true(Base.isOne(one));
  t.false(Base.isOne({}));
});

test("private fields of classes made by one function, of static ones and of accessors are found", (t) => {
  const make = (start: number) =>
    class Counter {
      static #made = 0;
      #count = start;
      constructor() {
        Counter.#made++;
      }
      static get made(): number {
        return Counter.#made;
      }
      get #next(): number {
        return this.#count + 1;
      }
      step(): number {
        this.#count = this.#next;
        this.#count += 1;
        return this.#count++;
      }
      get count(): number {
        return this.#count;
      }
    };
  const [One, Two] = [make(0), make(100)];
  const [one, two] = [new One(), new Two()];
  t.is(one.step(), 2);
  t.is(two.step(), 102);
  t.deepEqual([one.count, two.count, One.made, Two.made], [3, 103, 1, 1]);
  t.is(JSON.stringify(one), "{}");
  t.deepEqual({ ...one }, {});
  t.deepEqual(Reflect.ownKeys(one), []);
});

test("of something else a private field is undefined, and `this` before `super` is still an error", (t) => {
  t.is(Base.read({} as Base), undefined as never);
  class Hasty extends Base {
    constructor() {
      const early = (): unknown => this;
      early();
      super();
    }
  }
  t.throws(() => new Hasty(), { instanceOf: ReferenceError });
});

test("getters are asked on the object, on its prototypes and through what a variable holds", (t) => {
  class Far {
    value = 1;
    get doubled(): number {
      return this.value * 2;
    }
    get failing(): never {
      throw new RangeError("no");
    }
  }
  class Near extends Far {
    get own(): number {
      return this.doubled + 1;
    }
  }
  const near = new Near();
  t.is(near.own, 3);
  const { doubled } = near;
  t.is(doubled, 2);
  t.throws(() => near.failing, { instanceOf: RangeError });
  const only = Object.defineProperty({}, "written", { set: () => undefined }) as { written?: number };
  t.is(only.written, undefined);
  // The variable loses the object while its getter runs.
  const ask = (of: { readonly last: number }): number => of.last;
  let it: { readonly last: number } | undefined = {
    get last(): number {
      it = undefined;
      return this === undefined ? 0 : near.own;
    },
  };
  t.is(ask(it), 3);
  t.true((it as unknown) === undefined);
});

test("numbers of both kinds compare, and branch, as they should", (t) => {
  const numbers = [0, -0, 1, -1, 0.5, 2 ** 31, -(2 ** 31) - 1, 1e300, Number.NaN, Infinity, -Infinity];
  const asText = (value: boolean): string => (value ? "1" : "0");
  for (const a of numbers) {
    for (const b of numbers) {
      let branches = "";
      if (a < b) branches += "<";
      if (a <= b) branches += "[";
      if (a > b) branches += ">";
      if (a >= b) branches += "]";
      if (a === b) branches += "=";
      if (a !== b) branches += "!";
      const difference = Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.sign(a === b ? 0 : a - b);
      const expected = { "-1": "<[!", 0: "[]=", 1: ">]!", NaN: "!" }[String(difference)];
      t.true(branches === expected, `${a} ${b}: ${branches}`);
      t.is([a < b, a >= b].map(asText).join(""), difference < 0 ? "10" : difference >= 0 ? "01" : "00");
    }
  }
  let turns = 0;
  for (let at = 0.5; at < 5; at++) turns++;
  t.is(turns, 5);
  t.true("b" > "a" && !("b" < "a") && 2n > 1);
});

test("new memory is zero, whatever size it has and whoever had it before", (t) => {
  for (const bytes of [8, 1000, 16_000, 16_384, 16_385, 20_000, 1 << 20]) {
    for (let round = 0; round < 3; round++) {
      const fresh = new Uint8Array(bytes);
      t.is(
        fresh.findIndex((byte) => byte !== 0),
        -1,
        `${bytes} bytes, round ${round}`,
      );
      fresh.fill(0xff);
    }
  }
});

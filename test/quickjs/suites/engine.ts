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

test("a private field of something else, and `this` before `super`, are still errors", (t) => {
  t.throws(() => Base.read({} as Base), { instanceOf: TypeError });
  class Hasty extends Base {
    constructor() {
      const early = (): unknown => this;
      early();
      super();
    }
  }
  t.throws(() => new Hasty(), { instanceOf: ReferenceError });
});

import test from "ava";

import { compile, run, SANITIZED } from "./machine.ts";

/** `make fuzz` gives more. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? "5");
const PROGRAM = "core-fuzz";

// What must hold is in test/native/fuzz; a failure prints the seed that repeats its round.
test("hostile datagrams, frames and arguments leave the I/O core whole, under sanitizers", (t) => {
  const seed = Number(process.env.SEED ?? Math.floor(performance.timeOrigin));
  t.log(`seed ${seed}`);
  compile(PROGRAM, SANITIZED);
  const [summary = ""] = run(PROGRAM, SANITIZED, [`${seed} ${SECONDS}`]);
  t.log(summary);
  // Enough of it came through to mean something: deliveries as well as drops, packets as well as refusals.
  const counts = new Map(
    [...summary.matchAll(/(\w+) (\d+)/g)].map(([, name = "", count]) => [name, Number(count)]),
  );
  const count = (name: string) => counts.get(name) ?? 0;
  t.true(count("delivered") > count("datagrams") / 10 && count("delivered") < count("datagrams"), summary);
  t.true(count("packets") > count("frames") / 10, summary);
  t.true(count("calls") >= 300, summary);
});

import test from "ava";
import {
  EventLog,
  LOG_PERIOD_MS,
  MAX_EVENTS,
  MAX_LINES_PER_PERIOD,
} from "../../../router-daemon/src/daemon/event-log.ts";

function make(level: "off" | "error" | "warn" | "info" = "info") {
  const lines: string[] = [];
  const levels: string[] = [];
  return {
    lines,
    levels,
    log: new EventLog(
      (line, level) => {
        lines.push(line);
        levels.push(level);
      },
      () => 1000,
      level,
    ),
  };
}

test("the ring keeps the newest events, numbered without gaps", (t) => {
  const { log } = make("off");
  for (let i = 0; i < MAX_EVENTS + 10; i++) log.add("info", "link_up", `event ${i}`, i);
  t.is(log.rows.length, MAX_EVENTS);
  t.is(log.rows[0]?.sequence, 11);
  t.is(log.rows.at(-1)?.message, `event ${MAX_EVENTS + 9}`);
});

test("the level decides what is printed, not what is kept; it can change", (t) => {
  const { log, lines, levels } = make("warn");
  log.add("info", "a", "not printed", 0);
  log.add("warning", "b", "printed", 0);
  log.level = "info";
  log.add("info", "c", "printed too", 0);
  t.deepEqual(lines, ["warning: printed", "info: printed too"]);
  t.deepEqual(levels, ["warning", "info"]);
  t.is(log.rows.length, 3);
});

test("a flood of events does not flood the log; what was left out is counted", (t) => {
  const { log, lines } = make();
  for (let i = 0; i < MAX_LINES_PER_PERIOD + 40; i++) log.add("info", "a", "x", 5);
  t.is(lines.length, MAX_LINES_PER_PERIOD);
  log.add("info", "a", "later", 5 + LOG_PERIOD_MS);
  t.deepEqual(lines.slice(MAX_LINES_PER_PERIOD), [
    "warning: 40 lines were left out of the log.",
    "info: later",
  ]);
});

import test from "ava";
import { WallClock } from "../../../router-daemon/src/daemon/wall-clock.ts";

const TODAY = 1_800_000_000;

function clocks(unixTime: number) {
  const state = { unixTime, now: 5000 };
  const clock = new WallClock(
    () => state.unixTime,
    () => state.now,
  );
  return { state, clock };
}

test("a moment keeps its time while the clocks go on, whatever the fractions of their seconds", (t) => {
  const { state, clock } = clocks(TODAY);
  const shown = clock.timeOf(1200);
  for (let step = 0; step < 300; step++) {
    state.now += 370;
    state.unixTime = TODAY + Math.floor((state.now - 5000) / 1000);
    t.is(clock.timeOf(1200), shown);
  }
});

test("when the clock is set, forwards by decades or backwards, earlier moments move with it", (t) => {
  const { state, clock } = clocks(83);
  t.is(clock.timeOf(5000), 83);
  state.unixTime = TODAY;
  t.is(clock.timeOf(5000), TODAY);
  t.is(clock.timeOf(2000), TODAY - 3);
  state.unixTime = TODAY - 86_400;
  t.is(clock.timeOf(5000), TODAY - 86_400);
});

test("before 1970 there is nothing to show", (t) => {
  const { clock } = clocks(0);
  t.is(clock.timeOf(0), 0);
});

import test from "ava";
import { Pacer } from "../src/pacer.ts";

test("a rate that falls while sending rests does not make it rest for ever", (t) => {
  const pacer = new Pacer(1000);
  let now = 0;
  // At a high rate, more leaves than there is credit for.
  const fast = 100_000;
  pacer.credit(now, fast);
  pacer.handleSent(200_000, fast, true);
  // Then the rate collapses to less than a burst per quantum.
  const slow = 50;
  for (let wakeUps = 0; pacer.credit(now, slow) <= 0; wakeUps++) {
    const readyAt = pacer.readyAt(slow);
    t.true(readyAt > now);
    now = readyAt;
    if (wakeUps > 10) return t.fail("still resting after ten wake-ups at the time asked for");
  }
  t.true(now <= 200_000 / slow + 2);
});

test("credit comes back at the pace, and trains leave by the quantum", (t) => {
  const pacer = new Pacer(1000);
  const rate = 100_000;
  let now = 0;
  let sent = 0;
  for (let i = 0; i < 100; i++) {
    while (pacer.credit(now, rate) > 0) {
      pacer.handleSent(1000, rate, true);
      sent += 1000;
    }
    now = pacer.readyAt(rate);
  }
  t.true(Math.abs(sent / now - rate) < rate * 0.2, `${sent / now} bytes per ms`);
});

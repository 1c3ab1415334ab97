import test from "ava";
import { MAX_SLEEPERS, Sleeper } from "../../../router-daemon/src/daemon/sleeper.ts";

test("each sleeper is woken at its own time", async (t) => {
  const sleeper = new Sleeper();
  const woken: string[] = [];
  const sleep = async (name: string, until: number) => {
    woken.push(`${name} ${await sleeper.sleep(until)}`);
  };
  const all = [sleep("late", 30), sleep("early", 10), sleep("middle", 20)];
  t.is(sleeper.nextTimeout, 10);
  sleeper.handleTimeout(9.9);
  sleeper.handleTimeout(10);
  t.is(sleeper.nextTimeout, 20);
  sleeper.handleTimeout(100);
  await Promise.all(all);
  t.deepEqual(woken, ["early true", "late true", "middle true"]);
  t.is(sleeper.nextTimeout, Number.POSITIVE_INFINITY);
});

test("when the daemon stops everybody is woken, and nobody sleeps any more", async (t) => {
  const sleeper = new Sleeper();
  const pending = sleeper.sleep(10);
  sleeper.stop();
  t.false(await pending);
  t.false(await sleeper.sleep(20));
  t.is(sleeper.nextTimeout, Number.POSITIVE_INFINITY);
});

test("more sleepers than there should ever be are turned away at once", async (t) => {
  const sleeper = new Sleeper();
  const all = Array.from({ length: MAX_SLEEPERS }, () => sleeper.sleep(10));
  t.false(await sleeper.sleep(10));
  sleeper.handleTimeout(10);
  t.true((await Promise.all(all)).every(Boolean));
});

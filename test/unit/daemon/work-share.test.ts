import test from "ava";
import {
  BUSY_SHARE,
  BUSY_TURNS_PER_SECOND,
  IDLE_SHARE,
  LOOK_MS,
  SAVED_MS,
  WorkShare,
} from "../../../router-daemon/src/daemon/work-share.ts";

/** A thread with a clock: work moves it, and so does waiting for the next timer. */
class Thread {
  now = 0;
  turnsPerMs = 0;
  readonly #due = new Map<number, { readonly at: number; readonly run: () => void }>();
  #numbers = 0;
  readonly share = new WorkShare({
    timers: {
      startTimer: (run, delayMs) => {
        this.#due.set(++this.#numbers, { at: this.now + delayMs, run });
        return this.#numbers;
      },
      stopTimer: (timer) => void this.#due.delete(timer),
    },
    now: () => this.now,
    turns: () => this.now * this.turnsPerMs,
  });

  /** Lets timers fire and promises run until that time. */
  async until(end: number): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = [...this.#due].sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined || next[1].at > end) break;
      this.#due.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].run();
    }
    this.now = Math.max(this.now, end);
  }

  /** A client that asks again as soon as it has its answer; gives the number of answers so far. */
  client(workMs: number): () => number {
    let answers = 0;
    const ask = async (): Promise<void> => {
      for (;;) {
        await this.share.run(async () => {
          this.now += workMs;
        });
        answers++;
        // The next question comes over the network.
        await new Promise((resolve) => this.#later(resolve));
      }
    };
    void ask();
    return () => answers;
  }

  #later(run: (value: unknown) => void): void {
    this.#due.set(++this.#numbers, { at: this.now + 1, run: () => run(undefined) });
  }
}

async function busyThread(): Promise<Thread> {
  const thread = new Thread();
  thread.turnsPerMs = (2 * BUSY_TURNS_PER_SECOND) / 1000;
  await thread.until(10_000);
  // Somebody has to ask before the turns are looked at.
  await thread.share.run(async () => {});
  return thread;
}

test("while the data path is idle, answers have a good part of the time, and never all", async (t) => {
  const thread = new Thread();
  const counts = Array.from({ length: 50 }, () => thread.client(5));
  await thread.until(10_000);
  const share = counts.reduce((sum, count) => sum + count() * 5, 0) / (10_000 + SAVED_MS);
  t.true(share > 0.9 * IDLE_SHARE && share < 1.05 * IDLE_SHARE, String(share));
});

test("while it is at work, fifty clients together get their share and no more, each its turn", async (t) => {
  const thread = await busyThread();
  const began = thread.now;
  const counts = Array.from({ length: 50 }, () => thread.client(2));
  await thread.until(began + 20_000);
  const elapsed = thread.now - began;
  const answers = counts.map((count) => count());
  const workedMs = answers.reduce((sum, count) => sum + count, 0) * 2;
  t.true(workedMs <= BUSY_SHARE * (elapsed + SAVED_MS) + 2, `${workedMs} of ${elapsed} ms`);
  t.true(workedMs >= 0.8 * BUSY_SHARE * elapsed, `${workedMs} of ${elapsed} ms`);
  t.true(Math.max(...answers) - Math.min(...answers) <= 1, answers.join(" "));
  t.true(thread.share.waiting <= 50);
});

test("who asks now and then does not wait, however busy it is", async (t) => {
  const thread = await busyThread();
  for (let i = 0; i < 20; i++) {
    const asked = thread.now;
    await thread.share.run(async () => {
      thread.now += 20;
    });
    t.is(thread.now, asked + 20);
    await thread.until(thread.now + 1000);
  }
});

test("work that waits for something is not counted for it, and holds nobody up", async (t) => {
  const thread = await busyThread();
  let finish = (): void => {};
  const long = thread.share.run(() => new Promise<void>((resolve) => (finish = resolve)));
  const asked = thread.now;
  const other = thread.share.run(async () => thread.now);
  await thread.until(asked + 5000);
  t.is(await other, asked);
  finish();
  await long;
  t.is(await thread.share.run(async () => thread.now), asked + 5000);
});

test("when the data path falls idle, those who wait are served", async (t) => {
  const thread = await busyThread();
  const counts = Array.from({ length: 50 }, () => thread.client(20));
  await thread.until(thread.now + 1000);
  t.true(counts.some((count) => count() === 0));
  thread.turnsPerMs = 0;
  await thread.until(thread.now + 2 * LOOK_MS + (50 * 20) / IDLE_SHARE);
  for (const count of counts) t.true(count() >= 1);
});

test("a failure is the asker's", async (t) => {
  const thread = new Thread();
  await t.throwsAsync(
    thread.share.run(() => Promise.reject(new Error("so it goes"))),
    { message: "so it goes" },
  );
  t.is(await thread.share.run(async () => 7), 7);
});

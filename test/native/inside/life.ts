/** How a program begins and ends. Argument: which way. */
import { native } from "kcp-router:native";
import { print } from "./print.ts";

const ways: Readonly<Record<string, () => void>> = {
  /** Timers in order, promises between them; the loop ends by itself. */
  orderly() {
    const seen: string[] = [];
    const stopped = native.startTimer(() => seen.push("never"), 1);
    native.startTimer(() => {
      seen.push("second");
      print(seen);
    }, 20);
    native.startTimer(() => {
      seen.push("first");
      void Promise.resolve().then(() => seen.push("promise"));
    }, 5);
    native.stopTimer(stopped);
    native.stopTimer(12_345);
  },
  exception() {
    native.startTimer(() => {
      throw new TypeError("It went\nwrong.");
    }, 1);
  },
  rejection() {
    void Promise.reject(new Error("Nobody cares."));
    native.startTimer(() => print("never"), 1);
  },
  /** A handler that comes before the running jobs end is in time. */
  handled() {
    const late = Promise.reject(new Error("Somebody cares."));
    void Promise.resolve().then(() => late.catch(() => print("handled")));
  },
  status() {
    native.exit(7);
  },
  signal() {
    native.onSignal((signal) => {
      print(signal);
      native.exit(0);
    });
    print("waiting");
  },
  overflow() {
    const deeper = (n: number): number => 1 + deeper(n + 1);
    try {
      deeper(0);
    } catch (error) {
      print((error as Error).name);
    }
  },
  /** Cycles are collected when the loop has rested a while, and while JavaScript goes on and on. */
  garbage() {
    const cycle = (): void => {
      const one: { other?: object } = {};
      one.other = { one };
    };
    for (let i = 0; i < 300_000; i++) cycle();
    const whileRunning = native.engineMemory();
    native.startTimer(() => {
      for (let i = 0; i < 8000; i++) cycle();
      native.startTimer(() => {
        const { collections, usedBytes, longestPauseMs } = native.engineMemory();
        print({
          whileRunning: whileRunning.collections,
          after: collections,
          small: usedBytes < 4e6,
          timed: longestPauseMs > 0,
        });
      }, 200);
    }, 1);
  },
  /** More than is allowed is an exception, not the end of the process. */
  memoryLimit() {
    native.setEngineMemoryLimit(native.engineMemory().usedBytes + (1 << 20));
    try {
      print(new Uint8Array(8 << 20).length);
    } catch (error) {
      native.setEngineMemoryLimit(1e9);
      print((error as Error).message);
    }
  },
};
ways[native.argv[1]!]!();

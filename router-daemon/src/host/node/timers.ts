import type { Timers } from "../timers.ts";

const running = new Map<number, NodeJS.Timeout>();
let last = 0;

/** Timers by `setTimeout`. */
export const nodeTimers: Timers = {
  startTimer(run, delayMs) {
    const timer = ++last;
    const fire = (): void => {
      running.delete(timer);
      run();
    };
    running.set(timer, setTimeout(fire, delayMs));
    return timer;
  },

  stopTimer(timer) {
    clearTimeout(running.get(timer));
    running.delete(timer);
  },
};

/** Timers of the control side. The data path has its own, `Host.setTimer`. */
export interface Timers {
  /** Calls once after `delayMs`, from the engine's loop; returns the timer's number (> 0). */
  startTimer(run: () => void, delayMs: number): number;
  /** Nothing happens when it has fired or never was. */
  stopTimer(timer: number): void;
}

/** How often the machine's addresses are looked at, milliseconds. */
export const WATCH_PERIOD_MS = 5000;

export interface OwnAddress {
  readonly address: number;
  readonly prefixLength: number;
}

/** Notices that the machine's addresses have changed. */
export class AddressWatch {
  readonly #addresses: () => readonly OwnAddress[];
  #seen: string;
  #at: number;
  #changed = false;

  constructor(addresses: () => readonly OwnAddress[], now: number) {
    this.#addresses = addresses;
    this.#seen = this.#describe();
    this.#at = now + WATCH_PERIOD_MS;
  }

  get nextTimeout(): number {
    return this.#at;
  }

  /** Looks at this time instead of the next planned one. */
  lookAt(now: number): void {
    this.#at = Math.min(this.#at, now);
  }

  handleTimeout(now: number): void {
    if (now < this.#at) return;
    this.#at = now + WATCH_PERIOD_MS;
    const seen = this.#describe();
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#changed = true;
  }

  /** True once after each change. */
  takeChange(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  #describe(): string {
    return this.#addresses()
      .map(({ address, prefixLength }) => `${address}/${prefixLength}`)
      .sort()
      .join(" ");
  }
}

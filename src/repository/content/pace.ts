import { setTimeout as delay } from 'node:timers/promises';

/** So far ahead of its time a writer may be: single chunks need not wait one by one. */
const AHEAD_MS = 100;

/** Bytes a second, shared by all who take from it. */
export class Pace {
  readonly #perMs: number;
  /** When all that was taken so far would be through, in ms of `performance.now`. */
  #through = 0;

  constructor(bytesPerSecond: number) {
    this.#perMs = bytesPerSecond / 1000;
  }

  /** Waits until so many bytes more may go. */
  async take(bytes: number): Promise<void> {
    const now = performance.now();
    this.#through = Math.max(this.#through, now) + bytes / this.#perMs;
    const wait = this.#through - now - AHEAD_MS;
    if (wait > 0) await delay(wait);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When each writer's next transaction is due. At a fixed rate the schedule runs on whatever the servers do (an open
 * loop for each writer), so a slow answer makes the next transactions late instead of fewer.
 */
export class Pacer {
  readonly #writers: number;
  #rate: number | undefined;
  #epoch = 0;
  #next: number[] = [];

  constructor(writers: number, rate: number | undefined) {
    this.#writers = writers;
    this.#rate = rate;
    this.setRate(rate);
  }

  /** Transactions a second over all writers; undefined = as fast as possible. Begins a new schedule now. */
  setRate(rate: number | undefined): void {
    this.#rate = rate;
    this.#epoch += 1;
    const interval = rate === undefined ? 0 : (this.#writers * 1000) / rate;
    this.#next = Array.from({ length: this.#writers }, (_, w) => performance.now() + (interval * w) / this.#writers);
  }

  /**
   * The moment (of `performance.now()`) when this writer's next transaction is due, taken off the schedule;
   * waits until `leadMs` before it. A changed rate or an aborted signal ends the wait.
   */
  async due(writer: number, leadMs: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      const epoch = this.#epoch;
      const now = performance.now();
      if (this.#rate === undefined || signal.aborted) return now;
      const due = this.#next[writer] ?? now;
      if (due - leadMs <= now) {
        this.#next[writer] = due + (this.#writers * 1000) / this.#rate;
        return due;
      }
      // Short naps: a rate that was changed meanwhile has another schedule.
      await sleep(Math.min(due - leadMs - now, 100), undefined, { signal }).catch(() => undefined);
      if (epoch !== this.#epoch) continue;
    }
  }
}

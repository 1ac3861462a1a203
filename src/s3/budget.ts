/** Shares out a bounded amount, first come first served: bytes in memory, requests under way. */
export class Budget {
  readonly #total: number;
  #left: number;
  readonly #waiting: { amount: number; go: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#left = total;
  }

  /** Waits for its turn; the result gives the amount back and may be called more than once. More than all is all. */
  async acquire(amount: number): Promise<() => void> {
    const mine = Math.min(amount, this.#total);
    if (this.#waiting.length > 0 || this.#left < mine) {
      await new Promise<void>((go) => this.#waiting.push({ amount: mine, go }));
    } else this.#left -= mine;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#left += mine;
      this.#wake();
    };
  }

  #wake(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#left; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#left -= next.amount;
      next.go();
    }
  }
}

import { Budget } from '../../../s3/budget.ts';

/** A buffer of at least the size that was asked for. */
export interface Room {
  readonly bytes: Buffer;
  /** Nobody may use the bytes any more. May be called more than once. */
  release(): void;
}

/**
 * Bounded memory for bytes on their way. Buffers are used again: those that are given up are only found by the collector, which
 * then looks at everything again and again.
 */
export class Memory {
  readonly #budget: Budget;
  readonly #total: number;
  /** By size, a power of two. */
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  constructor(total: number) {
    this.#total = total;
    this.#budget = new Budget(total);
  }

  /** Waits for its turn. */
  async take(size: number): Promise<Room> {
    const whole = 2 ** Math.ceil(Math.log2(Math.max(1, size)));
    const release = await this.#budget.acquire(whole);
    const bytes = this.#free.get(whole)?.pop();
    if (bytes !== undefined) this.#freeBytes -= whole;
    return this.#room(bytes ?? Buffer.allocUnsafeSlow(whole), release);
  }

  /** Waits for its turn with memory that others have; the result gives it back. */
  count(size: number): Promise<() => void> {
    return this.#budget.acquire(size);
  }

  #room(bytes: Buffer, release: () => void): Room {
    let held = true;
    return {
      bytes,
      release: () => {
        if (held) this.#keep(bytes);
        held = false;
        release();
      },
    };
  }

  #keep(bytes: Buffer): void {
    if (this.#freeBytes + bytes.length > this.#total) return;
    this.#freeBytes += bytes.length;
    const same = this.#free.get(bytes.length);
    if (same === undefined) this.#free.set(bytes.length, [bytes]);
    else same.push(bytes);
  }
}

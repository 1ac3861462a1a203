/**
 * Buffers of one size that are used again and again: memory that the kernel gives anew for every file has to be mapped and
 * cleared first, and the collector lets much of it pile up.
 */
export class Buffers {
  readonly #size: number;
  readonly #free: Buffer[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }

  /** Nobody may use it any more. */
  give(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

import type { ByteReader } from './byte-reader.ts';

/** Cassandra writes timestamps as microseconds since this one (2015-09-22). */
const EPOCH = 1_442_880_000_000_000n;
/** "No timestamp": that of a deletion that deletes nothing. */
const NONE = -(2n ** 63n);
const MIN_EXACT = BigInt(Number.MIN_SAFE_INTEGER);
const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * What the newest timestamp of a mutation is taken over. All of it by default; a test takes parts away to show that
 * each is needed (Cassandra's own point-in-time filter overlooks row deletions, and so leaks them).
 */
export interface TimestampParts {
  cells: boolean;
  liveness: boolean;
  rowDeletions: boolean;
  rangeDeletions: boolean;
  partitionDeletions: boolean;
  complexDeletions: boolean;
}

export const ALL_PARTS: Readonly<TimestampParts> = {
  cells: true,
  liveness: true,
  rowDeletions: true,
  rangeDeletions: true,
  partitionDeletions: true,
  complexDeletions: true,
};

/**
 * The newest of the timestamps that were added. They come as doubles relative to the epoch, exact for every time of
 * use (until 2301); a timestamp beyond that, which only a client can have set, is kept as a BigInt.
 */
export class NewestTimestamp {
  #relative = -Infinity;
  #beyond: bigint | undefined;

  add(relative: number, header: TimestampHeader): void {
    if (relative > this.#relative) this.#relative = relative;
    else if (Number.isNaN(relative)) this.#addBeyond(header.beyond);
  }

  /** Microseconds since 1970, or undefined where nothing was added. */
  value(): bigint | undefined {
    const exact = this.#relative === -Infinity ? undefined : BigInt(this.#relative) + EPOCH;
    if (this.#beyond === undefined) return exact;
    return exact === undefined || this.#beyond > exact ? this.#beyond : exact;
  }

  #addBeyond(value: bigint): void {
    if (this.#beyond === undefined || value > this.#beyond) this.#beyond = value;
  }
}

/** Reads the timestamps of one update, which are deltas to the base in its header. */
export class TimestampHeader {
  /** The value where `read` answered NaN. */
  beyond = 0n;
  #base: number;
  #bigBase: bigint;

  constructor(reader: ByteReader) {
    this.#base = reader.vint();
    this.#bigBase = this.#base < 0 ? reader.big : 0n;
  }

  /** Microseconds since the epoch as an exact double; -Infinity for none; NaN: it is in `beyond`. */
  read(reader: ByteReader): number {
    const delta = reader.vint();
    if (delta >= 0 && this.#base >= 0) {
      const sum = this.#base + delta;
      if (sum <= Number.MAX_SAFE_INTEGER) return sum;
    }
    return this.#readSlowly(delta < 0 ? reader.big : BigInt(delta));
  }

  // Bases before 2015 and "none" wrap around in 64 bits, as they do in Java.
  #readSlowly(delta: bigint): number {
    const base = this.#base < 0 ? this.#bigBase : BigInt(this.#base);
    const value = BigInt.asIntN(64, EPOCH + base + delta);
    if (value === NONE) return -Infinity;
    const relative = value - EPOCH;
    if (relative >= MIN_EXACT && relative <= MAX_EXACT) return Number(relative);
    this.beyond = value;
    return NaN;
  }
}

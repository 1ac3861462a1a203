const MIN_BYTES = 8 << 10;
const MAX_BYTES = 16 << 10;
/**
 * One line in sixteen may end a piece once it has its least size. With one in eight an insertion changed half as much
 * again: the more lines may end a piece, the more often the next one begins elsewhere.
 */
const CUT_MASK = 15;

/**
 * Collects lines into pieces of 8 to 16 KiB. A piece ends where the hash of a line's key says so, not after a fixed number
 * of lines: after an insertion the next pieces fall into step again, and are the same bytes as before.
 */
export class PieceCutter {
  #lines: string[] = [];
  #bytes = 0;

  /** The lines of a piece that is complete now, or undefined. */
  add(key: string, line: string): string[] | undefined {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line) + 1;
    const full = this.#bytes >= MIN_BYTES && (this.#bytes >= MAX_BYTES || (keyHash(key) & CUT_MASK) === 0);
    // Two lines at least, else a tree of very long keys would never become narrower.
    return full && this.#lines.length > 1 ? this.take() : undefined;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return lines;
  }
}

/** FNV-1a (32 bits) over the UTF-16 code units of the key, finished as MurmurHash3 does. */
function keyHash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const PREFIXES = ['objects/', 'listings/'] as const;
const SUFFIXES = ['', '.zst', '.age', '.zst.age'] as const;
const CONTENT_KEY = /^(objects\/|listings\/)([0-9a-f]{2})\/(\2[0-9a-f]{62})((?:\.zst)?(?:\.age)?)$/;

/** name 32 · prefix and suffix 1 · stored size 6. */
const ROW = 39;
const KEY = 33;
const ROWS_PER_CHUNK = 1024;

/** Whether a key is one that a sweep may know: an object or a piece. */
export function isContentKey(key: string): boolean {
  return CONTENT_KEY.test(key);
}

/** Keys of objects and pieces with their stored sizes, in about 50 bytes each. */
export class KeySet {
  readonly #chunks: Buffer[] = [];
  readonly #scratch = Buffer.alloc(KEY);
  #rows = 0;
  #bytes = 0;
  /** Open addressing: row + 1. */
  #slots = new Int32Array(2048);

  get size(): number {
    return this.#rows;
  }

  /** Sum of the stored sizes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a key of an object or piece once; others are left out. */
  add(key: string, storedSize = 0): void {
    const wanted = this.#encode(key);
    if (wanted === undefined) return;
    if ((this.#rows + 1) * 2 > this.#slots.length) this.#grow();
    const slot = this.#slot(wanted);
    if (this.#slots[slot] !== 0) return;
    if (this.#rows % ROWS_PER_CHUNK === 0) this.#chunks.push(Buffer.alloc(ROWS_PER_CHUNK * ROW));
    const row = this.#row(this.#rows);
    wanted.copy(row);
    row.writeUIntBE(storedSize, KEY, 6);
    this.#slots[slot] = ++this.#rows;
    this.#bytes += storedSize;
  }

  has(key: string): boolean {
    const wanted = this.#encode(key);
    return wanted !== undefined && this.#slots[this.#slot(wanted)] !== 0;
  }

  /** Keys in the order in which they came, in groups of at most `size`. */
  *groups(size: number): Generator<string[]> {
    for (let start = 0; start < this.#rows; start += size) {
      const group: string[] = [];
      for (let row = start; row < Math.min(start + size, this.#rows); row++) group.push(decode(this.#row(row)));
      yield group;
    }
  }

  #encode(key: string): Buffer | undefined {
    const match = CONTENT_KEY.exec(key);
    if (match === null) return undefined;
    const [, prefix, , name, suffix] = match as unknown as [string, string, string, string, string];
    this.#scratch.write(name, 0, 'hex');
    this.#scratch[32] = PREFIXES.indexOf(prefix as never) * SUFFIXES.length + SUFFIXES.indexOf(suffix as never);
    return this.#scratch;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let row = 0; row < this.#rows; row++) this.#slots[this.#slot(this.#row(row))] = row + 1;
  }

  /** The slot that holds the key, or the free one where it belongs. Names are hashes: their bytes are spread evenly. */
  #slot(wanted: Buffer): number {
    const mask = this.#slots.length - 1;
    let slot = wanted.readUInt32LE(0) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#row(this.#slots[slot]! - 1).compare(wanted, 0, KEY, 0, KEY) === 0) break;
    }
    return slot;
  }

  #row(row: number): Buffer {
    const at = (row % ROWS_PER_CHUNK) * ROW;
    return (this.#chunks[Math.floor(row / ROWS_PER_CHUNK)] as Buffer).subarray(at, at + ROW);
  }
}

function decode(row: Buffer): string {
  const name = row.toString('hex', 0, 32);
  const code = row[32] as number;
  const prefix = PREFIXES[Math.floor(code / SUFFIXES.length)] as string;
  return `${prefix}${name.slice(0, 2)}/${name}${SUFFIXES[code % SUFFIXES.length]}`;
}

const FOLDER = 'attachment/';
const PATH_LENGTH = FOLDER.length + 64;
/** A SHA-256 is eight numbers of 32 bits. */
const WORDS = 8;
/** A power of two. */
const CHUNK_BITS = 13;
const ROWS_PER_CHUNK = 1 << CHUNK_BITS;
const HEX = '0123456789abcdef';

/** Value of a hexadecimal digit by its character code, 255 for any other character. */
const DIGIT = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value++) DIGIT[HEX.charCodeAt(value)] = value;

/**
 * Paths of attachments, each under a number, with eight flags each. A path that ends in a SHA-256 takes 41 to 57 bytes, so
 * that a million of them fit into an agent; any other path is kept as it is.
 */
export class PathTable {
  readonly #chunks: Int32Array[] = [];
  #rows = 0;
  #flags = new Uint8Array(1024);
  /** Open addressing: row + 1. */
  #slots = new Int32Array(2048);
  readonly #scratch = new Int32Array(WORDS);
  readonly #path = Buffer.from(FOLDER.padEnd(PATH_LENGTH, '0'));
  /** Paths that are no hashes have odd ids, the others even ones. */
  readonly #others: string[] = [];
  readonly #otherFlags: number[] = [];
  readonly #otherIds = new Map<string, number>();

  /** The number of a path, the next one if it is new. */
  idOf(path: string): number {
    return this.#parse(path) ? this.#rowOf() * 2 : this.#otherOf(path) * 2 + 1;
  }

  pathOf(id: number): string {
    if (id & 1) return this.#others[id >> 1] as string;
    const { chunk, at } = this.#row(id >> 1);
    let to = FOLDER.length;
    for (let word = 0; word < WORDS; word++) {
      for (let shift = 28; shift >= 0; shift -= 4) {
        this.#path[to++] = HEX.charCodeAt(((chunk[at + word] as number) >>> shift) & 15);
      }
    }
    // Not put together digit by digit: each of the 64 strings on the way would stay as long as the path.
    return this.#path.toString('latin1');
  }

  /** Whether it is the path of an attachment that ends in a SHA-256. */
  isHash(id: number): boolean {
    return (id & 1) === 0;
  }

  /** All of the bits in `flags` are set. */
  has(id: number, flags: number): boolean {
    return (this.#flagsOf(id) & flags) === flags;
  }

  set(id: number, flags: number): void {
    this.#setFlags(id, this.#flagsOf(id) | flags);
  }

  clear(id: number, flags: number): void {
    this.#setFlags(id, this.#flagsOf(id) & ~flags);
  }

  /** In the order in which they came: first those that are hashes, then the others. */
  *ids(): Generator<number> {
    for (let row = 0; row < this.#rows; row++) yield row * 2;
    for (let other = 0; other < this.#others.length; other++) yield other * 2 + 1;
  }

  #flagsOf(id: number): number {
    return (id & 1 ? this.#otherFlags[id >> 1] : this.#flags[id >> 1]) as number;
  }

  #setFlags(id: number, flags: number): void {
    if (id & 1) this.#otherFlags[id >> 1] = flags;
    else this.#flags[id >> 1] = flags;
  }

  #otherOf(path: string): number {
    const known = this.#otherIds.get(path);
    if (known !== undefined) return known;
    this.#otherIds.set(path, this.#others.length);
    this.#otherFlags.push(0);
    return this.#others.push(path) - 1;
  }

  /** Reads the hash of a path into the scratch row; false when it has none. */
  #parse(path: string): boolean {
    if (path.length !== PATH_LENGTH || !path.startsWith(FOLDER)) return false;
    let at = FOLDER.length;
    for (let word = 0; word < WORDS; word++) {
      let value = 0;
      for (let digit = 0; digit < 8; digit++) {
        const code = path.charCodeAt(at++);
        const four = code < 128 ? (DIGIT[code] as number) : 255;
        if (four === 255) return false;
        value = (value << 4) | four;
      }
      this.#scratch[word] = value;
    }
    return true;
  }

  /** The row of the hash in the scratch row, a new one if there is none. */
  #rowOf(): number {
    if ((this.#rows + 1) * 2 > this.#slots.length) this.#grow();
    const slot = this.#slot(this.#scratch, 0);
    if (this.#slots[slot] === 0) {
      if (this.#rows % ROWS_PER_CHUNK === 0) this.#chunks.push(new Int32Array(ROWS_PER_CHUNK * WORDS));
      const { chunk, at } = this.#row(this.#rows);
      chunk.set(this.#scratch, at);
      this.#slots[slot] = ++this.#rows;
    }
    return (this.#slots[slot] as number) - 1;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const flags = new Uint8Array(this.#slots.length / 2);
    flags.set(this.#flags.subarray(0, this.#rows));
    this.#flags = flags;
    for (let row = 0; row < this.#rows; row++) {
      const { chunk, at } = this.#row(row);
      this.#slots[this.#slot(chunk, at)] = row + 1;
    }
  }

  /** The slot that holds a hash, or the free one where it belongs. */
  #slot(of: Int32Array, from: number): number {
    const mask = this.#slots.length - 1;
    let slot = ((of[from] as number) ^ Math.imul(of[from + 4] as number, 0x9e3779b1)) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const { chunk, at } = this.#row((this.#slots[slot] as number) - 1);
      let word = 0;
      while (word < WORDS && chunk[at + word] === of[from + word]) word++;
      if (word === WORDS) break;
    }
    return slot;
  }

  #row(row: number): { chunk: Int32Array; at: number } {
    return { chunk: this.#chunks[row >>> CHUNK_BITS] as Int32Array, at: (row & (ROWS_PER_CHUNK - 1)) * WORDS };
  }
}

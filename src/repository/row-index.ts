/** Finds rows by a part of their bytes: open addressing, 8 to 16 bytes a row. A row may change its key: it is added again. */
export class RowIndex {
  readonly #from: number;
  readonly #to: number;
  readonly #rowAt: (row: number) => Buffer;
  /** Row + 1. */
  #slots = new Int32Array(2048);
  #added = 0;

  /** `from` and `to` bound the key, of at least 12 bytes, in a row. */
  constructor(from: number, to: number, rowAt: (row: number) => Buffer) {
    this.#from = from;
    this.#to = to;
    this.#rowAt = rowAt;
  }

  /** The row with that key, or -1. */
  find(key: Buffer): number {
    return (this.#slots[this.#slot(key)] as number) - 1;
  }

  /** `rows` is the number of all rows there are. */
  add(row: number, rows: number): void {
    if ((this.#added + 1) * 2 > this.#slots.length) this.#rebuild(rows);
    this.#put(row);
  }

  #rebuild(rows: number): void {
    let length = this.#slots.length;
    while (rows * 3 > length) length *= 2;
    this.#slots = new Int32Array(length);
    this.#added = 0;
    for (let row = 0; row < rows; row++) this.#put(row);
  }

  #put(row: number): void {
    const slot = this.#slot(this.#rowAt(row).subarray(this.#from, this.#to));
    if (this.#slots[slot] === 0) this.#added++;
    this.#slots[slot] = row + 1;
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #slot(key: Buffer): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(key.readUInt32LE(8) ^ Math.imul(key.readUInt32LE(0), 0x9e3779b1), 0x85ebca6b) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = this.#rowAt((this.#slots[slot] as number) - 1);
      if (row.compare(key, 0, key.length, this.#from, this.#to) === 0) break;
    }
    return slot;
  }
}

import type { InventoryEntry } from './inventory-entry.ts';
import { ENCODINGS, type Encoding } from './names.ts';

/** name 32 · kind and encoding 1 · stored size 6 · SHA-256 of the stored bytes 32; of one kind, rows sort as bytes. */
const ROW = 71;
const KEY = 33;
const ROWS_PER_CHUNK = 1024;
/** In the byte of the encoding. */
const OBJECT = 0x80;
/** By kind and the first two bytes of the name. */
const BUCKETS = 2 * 65_536;
/** So few rows are sorted sooner than buckets are counted. */
const FEW_ROWS = 4096;

/** Distinct objects and pieces in little memory: 71 bytes each, outside the JavaScript heap. */
export class ObjectTable {
  #chunks: Buffer[] = [];
  #rows = 0;

  add(entry: InventoryEntry): void {
    const at = (this.#rows % ROWS_PER_CHUNK) * ROW;
    if (at === 0) this.#chunks.push(Buffer.allocUnsafe(ROWS_PER_CHUNK * ROW));
    const chunk = this.#chunks[this.#chunks.length - 1] as Buffer;
    chunk.write(entry.name, at, 'hex');
    chunk[at + 32] = ENCODINGS.indexOf(entry.encoding) | (entry.kind === 'object' ? OBJECT : 0);
    chunk.writeUIntBE(entry.storedSize, at + KEY, 6);
    chunk.write(entry.storedSha256, at + KEY + 6, 'hex');
    this.#rows++;
  }

  /** Sorted by their keys; equal rows once. Two rows of one key that differ both come. */
  *sorted(): Generator<InventoryEntry> {
    let previous: number | undefined;
    for (const bucket of this.#buckets()) {
      bucket.sort((a, b) => this.#compare(a, b));
      for (const row of bucket) {
        if (previous === undefined || this.#compare(previous, row) !== 0) yield this.#read(row);
        previous = row;
      }
    }
  }

  /** A counting sort, so that the real sorts are small. */
  *#buckets(): Generator<number[]> {
    if (this.#rows < FEW_ROWS) {
      const rows = Array.from({ length: this.#rows }, (_, row) => row);
      yield rows.filter((row) => this.#bucket(row) < BUCKETS / 2);
      yield rows.filter((row) => this.#bucket(row) >= BUCKETS / 2);
      return;
    }
    const ends = new Uint32Array(BUCKETS + 1);
    for (let row = 0; row < this.#rows; row++) ends[this.#bucket(row) + 1]!++;
    for (let b = 1; b <= BUCKETS; b++) ends[b]! += ends[b - 1]!;
    const starts = ends.slice(0, BUCKETS);
    const order = new Uint32Array(this.#rows);
    for (let row = 0; row < this.#rows; row++) order[starts[this.#bucket(row)]!++] = row;
    for (let b = 0; b < BUCKETS; b++) {
      if (ends[b]! < ends[b + 1]!) yield Array.from(order.subarray(ends[b], ends[b + 1]));
    }
  }

  #bucket(row: number): number {
    const at = (row % ROWS_PER_CHUNK) * ROW;
    const chunk = this.#chunk(row);
    return chunk.readUInt16BE(at) + ((chunk[at + 32] as number) & OBJECT ? 65_536 : 0);
  }

  #compare(a: number, b: number): number {
    const atA = (a % ROWS_PER_CHUNK) * ROW;
    const atB = (b % ROWS_PER_CHUNK) * ROW;
    return this.#chunk(a).compare(this.#chunk(b), atB, atB + ROW, atA, atA + ROW);
  }

  #read(row: number): InventoryEntry {
    const at = (row % ROWS_PER_CHUNK) * ROW;
    const chunk = this.#chunk(row);
    const form = chunk[at + 32] as number;
    return {
      kind: form & OBJECT ? 'object' : 'piece',
      name: chunk.toString('hex', at, at + 32),
      encoding: ENCODINGS[form & ~OBJECT] as Encoding,
      storedSize: chunk.readUIntBE(at + KEY, 6),
      storedSha256: chunk.toString('hex', at + KEY + 6, at + ROW),
    };
  }

  #chunk(row: number): Buffer {
    return this.#chunks[Math.floor(row / ROWS_PER_CHUNK)] as Buffer;
  }
}

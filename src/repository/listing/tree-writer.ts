import { SkepError } from '../../errors.ts';
import { PieceCutter } from '../format/cutter.ts';
import { compareBytewise } from '../format/order.ts';
import { encodeChildRef, encodePiece, pieceName, type TreeKind } from '../format/piece.ts';
import type { ObjectWriter } from '../types.ts';

/** Pieces that may be on their way to the storage at once. */
const IN_FLIGHT = 16;

interface Level {
  cutter: PieceCutter;
  /** Of the piece that is being filled. */
  first: string | undefined;
  entries: number;
  /** Cut so far on this level. */
  pieces: number;
}

/** Builds the tree of pieces from sorted lines; memory holds one open piece a level. */
export class TreeWriter {
  readonly #kind: TreeKind;
  readonly #writer: ObjectWriter;
  readonly #levels: Level[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;
  #lastKey: string | undefined;
  #lastPiece = '';

  constructor(kind: TreeKind, writer: ObjectWriter) {
    this.#kind = kind;
    this.#writer = writer;
  }

  /** Keys must ascend bytewise. */
  async add(key: string, line: string): Promise<void> {
    if (this.#lastKey !== undefined && compareBytewise(this.#lastKey, key) >= 0) {
      throw new SkepError('internal', `${this.#kind} out of order: ${this.#lastKey} before ${key}`);
    }
    this.#lastKey = key;
    if (this.#push(0, key, key, line, 1) && this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
  }

  /** The name of the root, after every piece has been put. */
  async finish(): Promise<string> {
    if (this.#levels.length === 0) this.#cut(0, []);
    for (let level = 0; level < this.#levels.length; level++) {
      const { cutter } = this.#levels[level] as Level;
      if (!cutter.isEmpty) this.#cut(level, cutter.take());
      // The first level that is a single piece is the root; nothing above it was begun but by its own reference.
      if ((this.#levels[level] as Level).pieces === 1) break;
    }
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#lastPiece;
  }

  /** True when a piece was cut. `cutKey` decides about the cut, `first` is the sort key. */
  #push(index: number, cutKey: string, first: string, line: string, entries: number): boolean {
    const level = (this.#levels[index] ??= { cutter: new PieceCutter(), first: undefined, entries: 0, pieces: 0 });
    level.first ??= first;
    level.entries += entries;
    const lines = level.cutter.add(cutKey, line);
    if (lines === undefined) return false;
    this.#cut(index, lines);
    return true;
  }

  #cut(index: number, lines: string[]): void {
    const plain = encodePiece(this.#kind, index, lines);
    const name = pieceName(plain);
    this.#lastPiece = name;
    this.#put(name, plain);
    const level = (this.#levels[index] ??= { cutter: new PieceCutter(), first: undefined, entries: 0, pieces: 0 });
    level.pieces++;
    const { first, entries } = level;
    level.first = undefined;
    level.entries = 0;
    if (first !== undefined)
      this.#push(index + 1, name, first, encodeChildRef({ child: name, first, entries }), entries);
  }

  #put(name: string, plain: Buffer): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const putting: Promise<void> = this.#writer
      .putPiece(name, plain)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(putting));
    this.#inFlight.add(putting);
  }
}

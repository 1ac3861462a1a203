import { SkepError } from '../../errors.ts';
import { PieceCutter } from '../format/cutter.ts';
import { compareBytewise } from '../format/order.ts';
import { type ChildRef, encodeChildRef, encodePiece, type TreeKind } from '../format/piece.ts';
import type { ObjectWriter, StoredPiece } from '../types.ts';

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
  readonly #onPiece: (piece: StoredPiece) => void;
  #failure: { error: unknown } | undefined;
  #lastKey: string | undefined;
  #lastPiece = '';

  /** `onPiece` gets each piece when it has been put. */
  constructor(kind: TreeKind, writer: ObjectWriter, onPiece: (piece: StoredPiece) => void = () => {}) {
    this.#kind = kind;
    this.#writer = writer;
    this.#onPiece = onPiece;
  }

  /** Keys must ascend bytewise. */
  async add(key: string, line: string): Promise<void> {
    if (this.#lastKey !== undefined && compareBytewise(this.#lastKey, key) >= 0) {
      throw new SkepError('internal', `${this.#kind} out of order: ${this.#lastKey} before ${key}`);
    }
    this.#lastKey = key;
    if (this.#push(0, key, key, line, 1) && this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
  }

  /**
   * Takes over a piece of an older tree with all that is below it. False when it does not begin where a piece of this tree
   * would. Not for the last piece of a level, which ends where its tree ended and not where a piece does.
   */
  take(index: number, ref: ChildRef): boolean {
    for (let below = 0; below <= index; below++) if (!this.#level(below).cutter.isEmpty) return false;
    // A piece that is not the last of its level has two lines at least: levels below it are not a single piece.
    for (let below = 0; below < index; below++) this.#level(below).pieces += 2;
    this.#level(index).pieces++;
    this.#lastKey = ref.first;
    this.#lastPiece = ref.child;
    this.#push(index + 1, ref.child, ref.first, encodeChildRef(ref), ref.entries);
    return true;
  }

  /** The name of the root, after every piece has been put. */
  async finish(): Promise<string> {
    if (this.#lastPiece === '' && (this.#levels[0]?.cutter.isEmpty ?? true)) this.#cut(0, []);
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

  #level(index: number): Level {
    return (this.#levels[index] ??= { cutter: new PieceCutter(), first: undefined, entries: 0, pieces: 0 });
  }

  /** True when a piece was cut. `cutKey` decides about the cut, `first` is the sort key. */
  #push(index: number, cutKey: string, first: string, line: string, entries: number): boolean {
    const level = this.#level(index);
    level.first ??= first;
    level.entries += entries;
    const lines = level.cutter.add(cutKey, line);
    if (lines === undefined) return false;
    this.#cut(index, lines);
    return true;
  }

  #cut(index: number, lines: string[]): void {
    const name = this.#put(encodePiece(this.#kind, index, lines));
    this.#lastPiece = name;
    const level = this.#level(index);
    level.pieces++;
    const { first, entries } = level;
    level.first = undefined;
    level.entries = 0;
    if (first !== undefined)
      this.#push(index + 1, name, first, encodeChildRef({ child: name, first, entries }), entries);
  }

  /** The name of the piece. */
  #put(plain: Buffer): string {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { name, stored } = this.#writer.putPiece(this.#kind, plain);
    const putting: Promise<void> = stored
      .then(this.#onPiece, (error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(putting));
    this.#inFlight.add(putting);
    return name;
  }
}

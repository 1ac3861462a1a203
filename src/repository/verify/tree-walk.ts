import { SkepError } from '../../errors.ts';
import { pieceKey } from '../format/names.ts';
import { compareBytewise } from '../format/order.ts';
import type { Piece, TreeKind } from '../format/piece.ts';
import { childRefs, readPiece } from '../listing/tree-reader.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { FindingKind } from './report.ts';

interface PieceDamage {
  kind: FindingKind;
  piece: string;
  message: string;
}

/** What lies below a piece. */
export interface TreeSummary {
  level: number;
  first: string | undefined;
  last: string | undefined;
  entries: number;
  bytes: number;
  damages: PieceDamage[];
}

/** How entries of one kind of tree are read. */
export interface EntryReader<T> {
  kind: TreeKind;
  decode: (line: unknown) => T | undefined;
  keyOf: (entry: T) => string;
  bytesOf: (entry: T) => number;
  /** Called once for each entry of each distinct leaf, however many trees share it. */
  onEntry?: (entry: T) => void;
}

/**
 * Walks trees completely, whatever is damaged in them. Pieces that several trees share are read once: backups of one node
 * share nearly all of theirs.
 */
export class TreeWalker<T> {
  readonly #vault: Vault;
  readonly #reader: EntryReader<T>;
  readonly #known = new Map<string, TreeSummary>();

  constructor(vault: Vault, reader: EntryReader<T>) {
    this.#vault = vault;
    this.#reader = reader;
  }

  /** Where a piece of these trees is stored. */
  keyOf(name: string): string {
    return pieceKey(name, this.#vault.keyring.pieceEncoding(this.#reader.kind));
  }

  /** Keys of the pieces that were read and have no damage of their own. */
  *whole(): Generator<string> {
    for (const [name, { damages }] of this.#known) {
      if (!damages.some(({ piece }) => piece === name)) yield this.keyOf(name);
    }
  }

  async walk(name: string, level?: number): Promise<TreeSummary> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const summary = await this.#read(name, level);
    this.#known.set(name, summary);
    return summary;
  }

  async #read(name: string, level: number | undefined): Promise<TreeSummary> {
    const { kind } = this.#reader;
    let piece: Piece;
    try {
      piece = await readPiece(this.#vault, { name, kind, ...(level === undefined ? {} : { level }) });
      return piece.level === 0 ? this.#leaf(piece, name) : await this.#inner(piece, name);
    } catch (error) {
      if (!(error instanceof SkepError) || (error.code !== 'object-missing' && error.code !== 'object-damaged'))
        throw error;
      const finding = `${kind}-${error.code === 'object-missing' ? 'missing' : 'damaged'}` as const;
      return { ...empty(level ?? 0), damages: [{ kind: finding, piece: name, message: error.message }] };
    }
  }

  #leaf(piece: Piece, name: string): TreeSummary {
    const summary = empty(0);
    for (const line of piece.lines) {
      const entry = this.#reader.decode(line);
      if (entry === undefined) throw this.#damaged(name, 'an entry cannot be read');
      const key = this.#reader.keyOf(entry);
      if (summary.last !== undefined && compareBytewise(summary.last, key) >= 0)
        throw this.#damaged(name, 'not sorted');
      summary.first ??= key;
      summary.last = key;
      summary.entries++;
      summary.bytes += this.#reader.bytesOf(entry);
      this.#reader.onEntry?.(entry);
    }
    return summary;
  }

  async #inner(piece: Piece, name: string): Promise<TreeSummary> {
    const summary = empty(piece.level);
    for (const ref of childRefs(piece, name)) {
      const below = await this.walk(ref.child, piece.level - 1);
      summary.damages.push(...below.damages);
      summary.entries += ref.entries;
      summary.bytes += below.bytes;
      if (below.damages.length === 0) {
        const wrong = below.first !== ref.first || below.entries !== ref.entries || below.level !== piece.level - 1;
        if (wrong) throw this.#damaged(name, 'a reference contradicts the piece below');
      }
      if (summary.last !== undefined && compareBytewise(summary.last, ref.first) >= 0)
        throw this.#damaged(name, 'not sorted');
      summary.first ??= ref.first;
      summary.last = below.last ?? ref.first;
    }
    return summary;
  }

  #damaged(name: string, why: string): SkepError {
    return new SkepError('object-damaged', `${this.keyOf(name)} is damaged: ${why}`);
  }
}

function empty(level: number): TreeSummary {
  return { level, first: undefined, last: undefined, entries: 0, bytes: 0, damages: [] };
}

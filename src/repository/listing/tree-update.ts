import { compareBytewise } from '../format/order.ts';
import type { ChildRef, TreeKind } from '../format/piece.ts';
import type { Vault } from '../sealing/keyring.ts';
import { childRefs, damagedPiece, readPiece } from './tree-reader.ts';
import type { TreeWriter } from './tree-writer.ts';

/** A change of a tree. Without a line the entry goes. */
export interface TreeEdit {
  key: string;
  line: string | undefined;
}

/** How the lines of a tree are read and written. */
export interface TreeShape<T> {
  kind: TreeKind;
  decode(line: unknown): T | undefined;
  encode(entry: T): string;
  keyOf(entry: T): string;
}

/**
 * Builds a tree out of an older one and changes of it, sorted by key. Pieces in which nothing changes, and that begin where
 * a piece of the new tree begins, are taken over without being read: where a piece ends follows from its lines alone, so
 * the result is the same as that of a tree built anew. `onOld` gets each old entry that goes or is replaced.
 */
export async function updateTree<T>(
  vault: Vault,
  root: string,
  shape: TreeShape<T>,
  edits: Iterable<TreeEdit>,
  tree: TreeWriter,
  onOld: (entry: T) => void = () => {},
): Promise<string> {
  const queue = new EditQueue(edits);
  await visit({ child: root }, undefined, true);
  return tree.finish();

  /** A piece whose keys are below `end` (undefined: any); `last` when it is the last of its level. */
  async function visit(ref: Pick<ChildRef, 'child'>, end: string | undefined, last: boolean, level?: number) {
    const { child: name } = ref;
    const piece = await readPiece(vault, { name, kind: shape.kind, ...(level === undefined ? {} : { level }) });
    if (piece.level === 0) return mergeLeaf(name, piece.lines, end);
    const refs = childRefs(piece, name);
    const below = piece.level - 1;
    for (const [i, child] of refs.entries()) {
      const isLast = last && i === refs.length - 1;
      const childEnd = refs[i + 1]?.first ?? end;
      if (isLast || queue.hasBelow(childEnd) || !tree.take(below, child)) await visit(child, childEnd, isLast, below);
    }
  }

  async function mergeLeaf(name: string, lines: readonly unknown[], end: string | undefined): Promise<void> {
    for (const line of lines) {
      const entry = shape.decode(line);
      if (entry === undefined) throw damagedPiece(name, 'an entry cannot be read');
      const key = shape.keyOf(entry);
      await addEdits(key);
      const edit = queue.takeAt(key);
      if (edit === undefined) await tree.add(key, shape.encode(entry));
      else {
        onOld(entry);
        if (edit.line !== undefined) await tree.add(key, edit.line);
      }
    }
    await addEdits(end);
  }

  async function addEdits(end: string | undefined): Promise<void> {
    for (let edit = queue.takeBelow(end); edit !== undefined; edit = queue.takeBelow(end)) {
      if (edit.line !== undefined) await tree.add(edit.key, edit.line);
    }
  }
}

class EditQueue {
  readonly #edits: Iterator<TreeEdit>;
  #next: TreeEdit | undefined;

  constructor(edits: Iterable<TreeEdit>) {
    this.#edits = edits[Symbol.iterator]();
    this.#advance();
  }

  /** Whether the next edit is below a key; undefined is above all. */
  hasBelow(end: string | undefined): boolean {
    return this.#next !== undefined && (end === undefined || compareBytewise(this.#next.key, end) < 0);
  }

  takeBelow(end: string | undefined): TreeEdit | undefined {
    return this.hasBelow(end) ? this.#advance() : undefined;
  }

  takeAt(key: string): TreeEdit | undefined {
    return this.#next?.key === key ? this.#advance() : undefined;
  }

  /** The edit that was next. */
  #advance(): TreeEdit | undefined {
    const edit = this.#next;
    const next = this.#edits.next();
    this.#next = next.done === true ? undefined : next.value;
    return edit;
  }
}

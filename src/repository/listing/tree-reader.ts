import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { pieceKey } from '../format/names.ts';
import { compareBytewise } from '../format/order.ts';
import { decodeChildRef, openPiece, type ChildRef, type Piece, type TreeKind } from '../format/piece.ts';

/** Reads and checks one piece. Errors: `object-missing`, `object-damaged`. */
export async function readPiece(
  backend: Backend,
  expected: { name: string; kind: TreeKind; level?: number },
): Promise<Piece> {
  return openPiece(await backend.get(pieceKey(expected.name)), expected);
}

/** The references of a piece above the leaves. */
export function childRefs(piece: Piece, name: string): ChildRef[] {
  return piece.lines.map((line) => {
    const ref = decodeChildRef(line);
    if (ref === undefined) throw damagedPiece(name, 'a reference cannot be read');
    return ref;
  });
}

/** The lines of the leaves, leaf by leaf, in order. */
async function* readLeaves(backend: Backend, kind: TreeKind, root: string, level?: number): AsyncGenerator<Leaf> {
  const piece = await readPiece(backend, { name: root, kind, ...(level === undefined ? {} : { level }) });
  if (piece.level === 0) yield { name: root, lines: piece.lines };
  else for (const ref of childRefs(piece, root)) yield* readLeaves(backend, kind, ref.child, piece.level - 1);
}

interface Leaf {
  name: string;
  lines: unknown[];
}

/** Decoded entries of a whole tree; their keys are checked to ascend. */
export async function* readTree<T>(
  backend: Backend,
  kind: TreeKind,
  root: string,
  decode: (line: unknown) => T | undefined,
  keyOf: (entry: T) => string,
): AsyncGenerator<T> {
  let last: string | undefined;
  for await (const leaf of readLeaves(backend, kind, root)) {
    for (const line of leaf.lines) {
      const entry = decode(line);
      if (entry === undefined) throw damagedPiece(leaf.name, 'an entry cannot be read');
      const key = keyOf(entry);
      if (last !== undefined && compareBytewise(last, key) >= 0)
        throw damagedPiece(leaf.name, 'its entries are not sorted');
      last = key;
      yield entry;
    }
  }
}

function damagedPiece(name: string, why: string): SkepError {
  return new SkepError('object-damaged', `piece ${name} is damaged: ${why}`, { context: { piece: name } });
}

import { SkepError } from '../../errors.ts';
import { damageOrWrongKey } from '../damage/wrong-key.ts';
import { pieceKey } from '../format/names.ts';
import { compareBytewise } from '../format/order.ts';
import { decodeChildRef, openPiece, plainPiece, type ChildRef, type Piece, type TreeKind } from '../format/piece.ts';
import type { Vault } from '../sealing/keyring.ts';
import { openSealedBytes } from '../sealing/open.ts';

/** Reads and checks one piece. Errors: `object-missing`, `object-damaged`, `key-missing`, `key-wrong`. */
export async function readPiece(
  vault: Vault,
  expected: { name: string; kind: TreeKind; level?: number },
): Promise<Piece> {
  const { name, kind } = expected;
  const { backend, keyring } = vault;
  const encoding = keyring.pieceEncoding(kind);
  const stored = await backend.get(pieceKey(name, encoding));
  const compressed = encoding === 'zstd+age' ? await openSealedPiece(vault, stored, name) : stored;
  return openPiece(compressed, { ...expected, nameOf: (sha256) => keyring.pieceName(kind, sha256) });
}

/** Whether a piece of an inventory is there with the bytes that its name promises. Errors: as `readPiece`. */
export async function checkPiece({ backend, keyring }: Vault, name: string): Promise<void> {
  plainPiece(await backend.get(pieceKey(name, keyring.pieceEncoding('inventory'))), { name });
}

async function openSealedPiece(vault: Vault, stored: Buffer, name: string): Promise<Buffer> {
  try {
    return await openSealedBytes(stored, vault.keyring.identities);
  } catch (cause) {
    const error = await damageOrWrongKey(vault, pieceKey(name, 'zstd+age'), cause);
    if (error instanceof SkepError && error.code === 'object-damaged') throw damagedPiece(name, error.message);
    throw error;
  }
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
export async function* readLeaves(vault: Vault, kind: TreeKind, root: string, level?: number): AsyncGenerator<Leaf> {
  const piece = await readPiece(vault, { name: root, kind, ...(level === undefined ? {} : { level }) });
  if (piece.level === 0) yield { name: root, lines: piece.lines };
  else for (const ref of childRefs(piece, root)) yield* readLeaves(vault, kind, ref.child, piece.level - 1);
}

interface Leaf {
  name: string;
  lines: unknown[];
}

/** Names of all pieces of a tree; the leaves are not read. What lies below a piece in `seen` does not come again. */
export async function* pieceNames(
  vault: Vault,
  kind: TreeKind,
  name: string,
  seen: Set<string> = new Set(),
  level?: number,
): AsyncGenerator<string> {
  if (seen.has(name)) return;
  seen.add(name);
  yield name;
  if (level === 0) return;
  const piece = await readPiece(vault, { name, kind, ...(level === undefined ? {} : { level }) });
  if (piece.level === 0) return;
  for (const { child } of childRefs(piece, name)) yield* pieceNames(vault, kind, child, seen, piece.level - 1);
}

/** Decoded entries of a whole tree; their keys are checked to ascend. */
export async function* readTree<T>(
  vault: Vault,
  kind: TreeKind,
  root: string,
  decode: (line: unknown) => T | undefined,
  keyOf: (entry: T) => string,
): AsyncGenerator<T> {
  let last: string | undefined;
  for await (const leaf of readLeaves(vault, kind, root)) {
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

export function damagedPiece(name: string, why: string): SkepError {
  return new SkepError('object-damaged', `piece ${name} is damaged: ${why}`, { context: { piece: name } });
}

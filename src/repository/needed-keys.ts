import { decodeInventoryEntry, inventoryKey, type InventoryEntry } from './format/inventory-entry.ts';
import type { Manifest } from './format/manifest.ts';
import { pieceKey } from './format/names.ts';
import { checkPiece, childRefs, damagedPiece, pieceNames, readPiece } from './listing/tree-reader.ts';
import type { Vault } from './sealing/keyring.ts';

/** A key of the repository that a backup needs. */
export interface NeededKey {
  key: string;
  /** Name of the object or piece. */
  name: string;
  /** Stored size and SHA-256 of the stored bytes; absent for pieces that are found by walking, not sealed ones. */
  stored?: { size: number; sha256: string };
}

/** Some of what a backup needs: a million single ones, each awaited, take longer than all that is done with them. */
export interface NeededGroup {
  /** Names of pieces that are found by walking, not sealed ones. */
  pieces: readonly string[];
  /** What a leaf of an inventory lists, in order of its keys. */
  entries: readonly InventoryEntry[];
}

/** Whether what an inventory lists at `first` and behind it, before `end`, need not come. */
export type Spared = (inventory: string, first: string, end: string) => boolean;

/**
 * All that a backup needs beside its manifest: objects, pieces of its listings, pieces of its inventories. No private key
 * is needed. A key may come more than once. `seen` holds the names of pieces below which nothing need come again, when
 * several backups are asked about with the same set: they share nearly all of theirs. Everything but the leaves of
 * listings is read, and checked by its hash; of leaves that are `spared` the entries do not come. Errors: `object-missing`,
 * `object-damaged`.
 */
export async function* neededGroups(
  vault: Vault,
  manifest: Pick<Manifest, 'parts'>,
  seen: Set<string> = new Set(),
  spared: Spared = () => false,
): AsyncGenerator<NeededGroup> {
  for (const { root, inventory } of manifest.parts) {
    const isSpared = (first: string, end: string) => spared(inventory, first, end);
    yield* ofInventory(vault, { name: inventory, end: undefined }, seen, isSpared);
    if (vault.keyring.sealed) continue;
    for await (const name of pieceNames(vault, 'listing', root, seen)) yield { pieces: [name], entries: [] };
  }
}

/** `neededGroups`, one by one. */
export async function* neededKeys(
  vault: Vault,
  manifest: Pick<Manifest, 'parts'>,
  seen?: Set<string>,
): AsyncGenerator<NeededKey> {
  for await (const { pieces, entries } of neededGroups(vault, manifest, seen)) {
    yield* pieces.map(neededPiece);
    yield* entries.map(neededEntry);
  }
}

export function neededPiece(name: string): NeededKey {
  return { key: pieceKey(name, 'zstd'), name };
}

export function neededEntry(entry: InventoryEntry): NeededKey {
  const { name, storedSize, storedSha256 } = entry;
  return { key: inventoryKey(entry), name, stored: { size: storedSize, sha256: storedSha256 } };
}

async function* ofInventory(
  vault: Vault,
  { name, end, level }: { name: string; end: string | undefined; level?: number },
  seen: Set<string>,
  isSpared: (first: string, end: string) => boolean,
): AsyncGenerator<NeededGroup> {
  if (seen.has(name)) return;
  seen.add(name);
  const piece = await readPiece(vault, { name, kind: 'inventory', ...(level === undefined ? {} : { level }) });
  if (piece.level === 0) {
    const entries = piece.lines.map((line) => {
      const entry = decodeInventoryEntry(line);
      if (entry === undefined) throw damagedPiece(name, 'an entry cannot be read');
      return entry;
    });
    yield { pieces: [name], entries };
    return;
  }
  yield { pieces: [name], entries: [] };
  const refs = childRefs(piece, name);
  const below = piece.level - 1;
  for (const [i, { child, first }] of refs.entries()) {
    const childEnd = refs[i + 1]?.first ?? end;
    if (below === 0 && childEnd !== undefined && isSpared(first, childEnd)) {
      await checkPiece(vault, child);
      yield { pieces: [child], entries: [] };
    } else yield* ofInventory(vault, { name: child, end: childEnd, level: below }, seen, isSpared);
  }
}

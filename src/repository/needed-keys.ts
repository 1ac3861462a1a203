import { decodeInventoryEntry, inventoryKey, type InventoryEntry } from './format/inventory-entry.ts';
import type { Manifest } from './format/manifest.ts';
import { pieceKey } from './format/names.ts';
import { childRefs, damagedPiece, pieceNames, readPiece } from './listing/tree-reader.ts';
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

/**
 * All that a backup needs beside its manifest: objects, pieces of its listings, pieces of its inventories. No private key
 * is needed. A key may come more than once. `seen` holds the names of pieces below which nothing need come again, when
 * several backups are asked about with the same set: they share nearly all of theirs. Everything but the leaves of
 * listings is read. Errors: `object-missing`, `object-damaged`.
 */
export async function* neededGroups(
  vault: Vault,
  manifest: Pick<Manifest, 'parts'>,
  seen: Set<string> = new Set(),
): AsyncGenerator<NeededGroup> {
  for (const { root, inventory } of manifest.parts) {
    yield* ofInventory(vault, inventory, undefined, seen);
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
  name: string,
  level: number | undefined,
  seen: Set<string>,
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
  for (const { child } of childRefs(piece, name)) yield* ofInventory(vault, child, piece.level - 1, seen);
}

import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../../cancel.ts';
import {
  decodeInventoryEntry,
  encodeInventoryEntry,
  inventoryEntryOf,
  inventoryKey,
  type InventoryEntry,
} from '../format/inventory-entry.ts';
import { decodeListingEntry, encodeListingEntry, type FileEntry, type ListingEntry } from '../format/listing-entry.ts';
import { objectKey, pieceKey } from '../format/names.ts';
import { ObjectTable } from '../format/object-table.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { ListingRef, ObjectWriter, StoredPiece } from '../types.ts';
import { readTree } from './tree-reader.ts';
import { TreeWriter } from './tree-writer.ts';

/** Writes a listing and the inventory of what it needs. See `Repository.writeListing`. */
export async function writeListing(
  entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>,
  writer: ObjectWriter,
  options: { signal?: AbortSignal } = {},
): Promise<ListingRef> {
  // The first flush tells which contents another writer has published meanwhile, in a form of its own.
  await writer.flush();
  const pieces: StoredPiece[] = [];
  const tree = new TreeWriter('listing', writer, (piece) => pieces.push(piece));
  const needed = new ObjectTable();
  let files = 0;
  let bytes = 0;
  for await (const entry of entries) {
    throwIfCancelled(options.signal);
    if (entry.linkTo === undefined) {
      const file = asPublished(entry, writer);
      await tree.add(file.path, encodeListingEntry(file));
      needed.add(inventoryEntryOf(file));
      files++;
      bytes += file.size;
    } else await tree.add(entry.path, encodeListingEntry(entry));
  }
  const root = await tree.finish();
  if (pieces.some((piece) => piece.encoding === 'zstd+age')) await addPieces(pieces, needed, writer);
  const inventory = await writeInventory(needed, writer);
  await writer.flush();
  return { root, inventory, files, bytes };
}

/** Nobody finds sealed pieces without a key: the inventory names them. */
async function addPieces(pieces: readonly StoredPiece[], needed: ObjectTable, writer: ObjectWriter): Promise<void> {
  await writer.flush();
  for (const piece of pieces) {
    const { name, encoding } = piece;
    const { storedSize, storedSha256 } = writer.formOf(pieceKey(name, encoding)) ?? piece;
    needed.add({ kind: 'piece', name, encoding, storedSize, storedSha256 });
  }
}

/** With the form in which its content was published, where another writer was first. */
export function asPublished(entry: FileEntry, writer: ObjectWriter): FileEntry {
  const { stored } = entry;
  const form = stored && writer.formOf(objectKey(entry.object, stored.encoding));
  if (stored === undefined || form === undefined) return entry;
  return { ...entry, stored: { encoding: stored.encoding, size: form.storedSize, sha256: form.storedSha256 } };
}

async function writeInventory(needed: ObjectTable, writer: ObjectWriter): Promise<string> {
  const tree = new TreeWriter('inventory', writer);
  let last: string | undefined;
  for (const entry of needed.sorted()) {
    const key = inventoryKey(entry);
    if (key === last) throw twoForms(key);
    await tree.add((last = key), encodeInventoryEntry(entry));
  }
  return tree.finish();
}

/** A backup whose lease was taken away may see an object go that it reused, and store it anew. */
function twoForms(key: string): SkepError {
  const hint = 'Nothing was published; run `skep backup` again: it stores only what is missing.';
  return new SkepError('repository-failed', `${key} was replaced while it was in use`, { hint, context: { key } });
}

/** Entries in order. Errors: `object-missing`, `object-damaged`. */
export function readListing(vault: Vault, root: string): AsyncGenerator<ListingEntry> {
  return readTree(vault, 'listing', root, decodeListingEntry, (entry) => entry.path);
}

/** Every entry of an inventory in order. Errors: `object-missing`, `object-damaged`. */
export function readInventory(vault: Vault, root: string): AsyncGenerator<InventoryEntry> {
  return readTree(vault, 'inventory', root, decodeInventoryEntry, inventoryKey);
}

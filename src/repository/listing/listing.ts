import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../content/cancel.ts';
import {
  decodeInventoryEntry,
  encodeInventoryEntry,
  inventoryEntryOf,
  inventoryKey,
  type InventoryEntry,
} from '../format/inventory-entry.ts';
import { decodeListingEntry, encodeListingEntry, type ListingEntry } from '../format/listing-entry.ts';
import { ObjectTable } from '../format/object-table.ts';
import type { ListingRef, ObjectWriter } from '../types.ts';
import { readTree } from './tree-reader.ts';
import { TreeWriter } from './tree-writer.ts';

/** Writes a listing and the inventory of what it needs. See `Repository.writeListing`. */
export async function writeListing(
  entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>,
  writer: ObjectWriter,
  options: { signal?: AbortSignal } = {},
): Promise<ListingRef> {
  const tree = new TreeWriter('listing', writer);
  const objects = new ObjectTable();
  let files = 0;
  let bytes = 0;
  for await (const entry of entries) {
    throwIfCancelled(options.signal);
    await tree.add(entry.path, encodeListingEntry(entry));
    if (entry.linkTo !== undefined) continue;
    objects.add(inventoryEntryOf(entry));
    files++;
    bytes += entry.size;
  }
  const root = await tree.finish();
  const inventory = await writeInventory(objects, writer);
  // One group for contents and pieces: bytes reach the disk before any name, names before a manifest.
  await writer.flush();
  return { root, inventory, files, bytes };
}

async function writeInventory(objects: ObjectTable, writer: ObjectWriter): Promise<string> {
  const tree = new TreeWriter('inventory', writer);
  for (const entry of objects.sorted()) await tree.add(inventoryKey(entry), encodeInventoryEntry(entry));
  return tree.finish();
}

/** Entries in order. Errors: `object-missing`, `object-damaged`. */
export function readListing(backend: Backend, root: string): AsyncGenerator<ListingEntry> {
  return readTree(backend, 'listing', root, decodeListingEntry, (entry) => entry.path);
}

/** Every object of an inventory in order. Errors: `object-missing`, `object-damaged`. */
export function readInventory(backend: Backend, root: string): AsyncGenerator<InventoryEntry> {
  return readTree(backend, 'inventory', root, decodeInventoryEntry, inventoryKey);
}

import {
  decodeInventoryEntry,
  encodeInventoryEntry,
  inventoryEntryOf,
  inventoryKey,
  type InventoryEntry,
} from '../format/inventory-entry.ts';
import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { decodeListingEntry, encodeListingEntry, type FileEntry, type ListingEntry } from '../format/listing-entry.ts';
import { compareBytewise } from '../format/order.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { ListingChange, ListingRef, ObjectWriter } from '../types.ts';
import { asPublished, readListing, writeListing } from './listing.ts';
import { type TreeEdit, type TreeShape, updateTree } from './tree-update.ts';
import { TreeWriter } from './tree-writer.ts';

const LISTING: TreeShape<ListingEntry> = {
  kind: 'listing',
  decode: decodeListingEntry,
  encode: encodeListingEntry,
  keyOf: (entry) => entry.path,
};
const INVENTORY: TreeShape<InventoryEntry> = {
  kind: 'inventory',
  decode: decodeInventoryEntry,
  encode: encodeInventoryEntry,
  keyOf: inventoryKey,
};

interface UpdateOptions {
  signal?: AbortSignal;
  /** Told when the older inventory cannot be used: all pieces are then written, those that are damaged anew. */
  onDamage?: (why: string) => void;
}

/** With more changes than one for so many files nearly every piece changes. */
const FEW = 16;

/** See `Repository.updateListing`. */
export async function updateListing(
  vault: Vault,
  previous: ListingRef,
  changes: readonly ListingChange[],
  writer: ObjectWriter,
  options: UpdateOptions = {},
): Promise<ListingRef> {
  const writeAll = () => writeListing(merge(readListing(vault, previous.root), changes), writer, options);
  // The inventory of a sealed listing names its pieces: all of them would have to be known.
  if (vault.keyring.sealed || changes.length * FEW > previous.files) return writeAll();
  // Tells which contents another writer has published meanwhile, in a form of its own.
  await writer.flush();
  const sum = { files: previous.files, bytes: previous.bytes };
  const added = new Map<string, InventoryEntry>();
  const gone = new Set<string>();
  const count = (file: FileEntry, sign: 1 | -1) => {
    sum.files += sign;
    sum.bytes += sign * file.size;
  };
  function* edits(): Generator<TreeEdit> {
    for (const { path, entry } of changes) {
      throwIfCancelled(options.signal);
      const file = entry && asPublished(entry, writer);
      yield { key: path, line: file && encodeListingEntry(file) };
      if (file === undefined) continue;
      count(file, 1);
      const needed = inventoryEntryOf(file);
      added.set(inventoryKey(needed), needed);
    }
  }
  const root = await updateTree(vault, previous.root, LISTING, edits(), new TreeWriter('listing', writer), (old) => {
    if (old.linkTo !== undefined) return;
    count(old, -1);
    gone.add(inventoryKey(inventoryEntryOf(old)));
  });
  for (const key of added.keys()) gone.delete(key);
  await spareNeeded(vault, previous, changes, gone);
  const needs: TreeEdit[] = [...gone].map((key) => ({ key, line: undefined }));
  for (const [key, entry] of added) needs.push({ key, line: encodeInventoryEntry(entry) });
  needs.sort((a, b) => compareBytewise(a.key, b.key));
  try {
    const inventoryTree = new TreeWriter('inventory', writer);
    const inventory = await updateTree(vault, previous.inventory, INVENTORY, needs, inventoryTree);
    await writer.flush();
    return { root, inventory, ...sum };
  } catch (error) {
    if (!(error instanceof SkepError) || !['object-missing', 'object-damaged'].includes(error.code)) throw error;
    options.onDamage?.(error.message);
    return writeAll();
  }
}

/** Takes out of `gone` what a file needs that is listed as before. */
async function spareNeeded(
  vault: Vault,
  previous: ListingRef,
  changes: readonly ListingChange[],
  gone: Set<string>,
): Promise<void> {
  if (gone.size === 0) return;
  const changed = new Set(changes.map(({ path }) => path));
  for await (const entry of readListing(vault, previous.root)) {
    if (entry.linkTo === undefined && !changed.has(entry.path)) gone.delete(inventoryKey(inventoryEntryOf(entry)));
    if (gone.size === 0) return;
  }
}

/** Entries of a listing with changes, both sorted. */
async function* merge(
  entries: AsyncIterable<ListingEntry>,
  changes: readonly ListingChange[],
): AsyncGenerator<ListingEntry> {
  let next = 0;
  for await (const old of entries) {
    for (; next < changes.length; next++) {
      const { path, entry } = changes[next] as ListingChange;
      if (compareBytewise(path, old.path) >= 0) break;
      if (entry !== undefined) yield entry;
    }
    if (changes[next]?.path !== old.path) yield old;
  }
  for (; next < changes.length; next++) {
    const { entry } = changes[next] as ListingChange;
    if (entry !== undefined) yield entry;
  }
}

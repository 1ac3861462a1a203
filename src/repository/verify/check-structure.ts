import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../content/cancel.ts';
import {
  decodeInventoryEntry,
  inventoryEntryOf,
  inventoryKey,
  type InventoryEntry,
} from '../format/inventory-entry.ts';
import { decodeListingEntry, type ListingEntry } from '../format/listing-entry.ts';
import type { Manifest, ManifestPart } from '../format/manifest.ts';
import { manifestCopyKey, manifestKey, pieceKey } from '../format/names.ts';
import { ObjectTable } from '../format/object-table.ts';
import { readInventory, readListing } from '../listing/listing.ts';
import { manifestFinding, readManifest, tryGet } from '../manifests.ts';
import { hit, type Findings, type Place } from './findings.ts';
import { TreeWalker, type TreeSummary } from './tree-walk.ts';

/** A part of a good manifest; `listed` when every piece of its listing is good. */
export interface CheckedPart {
  place: Place;
  part: ManifestPart;
  listed: boolean;
}

/** Manifests, listings and inventories of some backups; all objects that they need go into `objects`. */
export async function checkStructure(
  backend: Backend,
  ids: readonly string[],
  objects: ObjectTable,
  findings: Findings,
  signal?: AbortSignal,
): Promise<CheckedPart[]> {
  const walkers = new PartWalkers(backend, objects);
  const parts: CheckedPart[] = [];
  for (const id of ids) {
    const manifest = await checkManifest(backend, id, findings);
    for (const part of manifest?.parts ?? []) {
      throwIfCancelled(signal);
      const place = { backup: id, node: part.node, store: part.store };
      parts.push({ place, part, listed: await walkers.check(part, place, findings) });
    }
  }
  return parts;
}

async function checkManifest(backend: Backend, id: string, findings: Findings): Promise<Manifest | undefined> {
  try {
    const manifest = await readManifest(backend, id);
    const [bytes, copy] = [await tryGet(backend, manifestKey(id)), await tryGet(backend, manifestCopyKey(id))];
    if (bytes !== undefined && copy !== undefined && !bytes.equals(copy)) {
      const message = `the copy of the manifest of ${id} differs from the manifest`;
      findings.add({ kind: 'manifest-copy-damaged', key: manifestCopyKey(id), message }).backups.push(id);
    }
    return manifest;
  } catch (error) {
    if (!(error instanceof SkepError) || error.code !== 'manifest-damaged') throw error;
    const finding = { kind: manifestFinding(error), key: manifestKey(id), message: error.message };
    findings.add(finding).backups.push(id);
    return undefined;
  }
}

class PartWalkers {
  readonly #backend: Backend;
  readonly #listings: TreeWalker<ListingEntry>;
  readonly #inventories: TreeWalker<InventoryEntry>;
  /** Pairs of listing and inventory that were compared, with the difference if any. */
  readonly #compared = new Map<string, string | undefined>();
  readonly #objects: ObjectTable;

  constructor(backend: Backend, objects: ObjectTable) {
    this.#backend = backend;
    this.#objects = objects;
    this.#listings = new TreeWalker(backend, {
      kind: 'listing',
      decode: decodeListingEntry,
      keyOf: (entry) => entry.path,
      bytesOf: (entry) => entry.size ?? 0,
    });
    this.#inventories = new TreeWalker(backend, {
      kind: 'inventory',
      decode: decodeInventoryEntry,
      keyOf: inventoryKey,
      bytesOf: (entry) => entry.storedSize,
      onEntry: (entry) => objects.add(entry),
    });
  }

  /** True when the listing has no damage. */
  async check(part: ManifestPart, place: Place, findings: Findings): Promise<boolean> {
    const listing = await this.#listings.walk(part.root);
    const inventory = await this.#inventories.walk(part.inventory);
    for (const { kind, piece, message } of [...listing.damages, ...inventory.damages]) {
      hit(findings.add({ kind, key: pieceKey(piece), object: piece, message }), place);
    }
    const listed = listing.damages.length === 0;
    if (listed && (inventory.damages.length > 0 || (await this.#difference(part)) !== undefined)) {
      await this.#addListedObjects(part);
    }
    if (listed && inventory.damages.length === 0) await this.#compare(part, place, listing, findings);
    return listed;
  }

  async #compare(part: ManifestPart, place: Place, listing: TreeSummary, findings: Findings): Promise<void> {
    if (listing.bytes !== part.bytes) {
      const message = `the listing has ${listing.bytes} bytes of files, the manifest ${part.bytes}`;
      hit(findings.add({ kind: 'listing-damaged', key: pieceKey(part.root), object: part.root, message }), place);
    }
    const message = await this.#difference(part);
    if (message === undefined) return;
    const { inventory } = part;
    hit(findings.add({ kind: 'inventory-damaged', key: pieceKey(inventory), object: inventory, message }), place);
  }

  /** The inventory must be exactly the objects of the listing: a prune trusts it. */
  async #difference(part: ManifestPart): Promise<string | undefined> {
    const pair = `${part.root} ${part.inventory}`;
    if (!this.#compared.has(pair)) this.#compared.set(pair, await this.#compareObjects(part));
    return this.#compared.get(pair);
  }

  async #compareObjects(part: ManifestPart): Promise<string | undefined> {
    const table = new ObjectTable();
    let files = 0;
    for await (const entry of readListing(this.#backend, part.root)) {
      if (entry.linkTo !== undefined) continue;
      files++;
      table.add(inventoryEntryOf(entry));
    }
    if (files !== part.files) return `the listing has ${files} files, the manifest ${part.files}`;
    const wanted = table.sorted();
    for await (const found of readInventory(this.#backend, part.inventory)) {
      const next = wanted.next();
      if (next.done === true || !equal(next.value, found))
        return `the inventory differs from the listing at ${found.object}`;
    }
    const rest = wanted.next();
    return rest.done === true ? undefined : `the inventory lacks ${rest.value.object}`;
  }

  async #addListedObjects(part: ManifestPart): Promise<void> {
    for await (const entry of readListing(this.#backend, part.root)) {
      if (entry.linkTo === undefined) this.#objects.add(inventoryEntryOf(entry));
    }
  }
}

function equal(a: InventoryEntry, b: InventoryEntry): boolean {
  return inventoryKey(a) === inventoryKey(b) && a.storedSize === b.storedSize && a.storedSha256 === b.storedSha256;
}

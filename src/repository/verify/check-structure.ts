import { hash } from 'node:crypto';
import { hintFor, SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import {
  decodeInventoryEntry,
  inventoryEntryOf,
  inventoryKey,
  type InventoryEntry,
} from '../format/inventory-entry.ts';
import { decodeListingEntry, type ListingEntry } from '../format/listing-entry.ts';
import type { Manifest, ManifestPart } from '../format/manifest.ts';
import { companionKey, manifestCopyKey, manifestKey, publishedKey } from '../format/names.ts';
import { ObjectTable } from '../format/object-table.ts';
import { readInventory, readListing } from '../listing/listing.ts';
import { pieceNames } from '../listing/tree-reader.ts';
import { getOrEmpty, isUnreadable, manifestFinding, readManifest } from '../manifests.ts';
import { openDetails } from '../sealing/details.ts';
import type { Vault } from '../sealing/keyring.ts';
import { hashOf, hasRenewal } from './check-objects.ts';
import { hit, type Findings, type Place, type Results } from './findings.ts';
import type { VerifyOptions } from './report.ts';
import { TreeWalker, type TreeSummary } from './tree-walk.ts';

/** A part of a good manifest; `listed` when every piece of its listing is good. */
export interface CheckedPart {
  place: Place;
  part: ManifestPart;
  listed: boolean;
}

/** Manifests, listings and inventories of some backups; all objects that they need go into `objects`. */
export async function checkStructure(
  vault: Vault,
  ids: readonly string[],
  objects: ObjectTable,
  { findings, earlier }: Results,
  { signal, checkDetails }: Pick<VerifyOptions, 'signal' | 'checkDetails'>,
): Promise<CheckedPart[]> {
  const walkers = new PartWalkers(vault, objects);
  const parts: CheckedPart[] = [];
  for (const id of ids) {
    const manifest = await checkManifest(vault, id, findings);
    if (manifest !== undefined) {
      await checkCompanions(vault.backend, manifest, findings);
      if (checkDetails !== undefined) await checkDetailsOf(vault, manifest, checkDetails, findings);
    }
    for (const part of manifest?.parts ?? []) {
      throwIfCancelled(signal);
      const place = { backup: id, node: part.node, store: part.store };
      parts.push({ place, part, listed: await walkers.check(part, place, findings) });
    }
  }
  await walkers.checkSealedPieces({ findings, earlier }, signal);
  for (const key of walkers.wholePieces()) earlier.sawContent(key);
  return parts;
}

async function checkManifest(vault: Vault, id: string, findings: Findings): Promise<Manifest | undefined> {
  try {
    const { backend } = vault;
    const manifest = await readManifest(vault, id);
    const [bytes, copy] = [await getOrEmpty(backend, manifestKey(id)), await getOrEmpty(backend, manifestCopyKey(id))];
    const key = manifestCopyKey(id);
    const [noted] = await backend.sizes([publishedKey(id)]);
    // Without the note its publishing, or its forgetting, ended half-way.
    if (bytes !== undefined && copy === undefined && noted !== undefined) {
      const message = `the copy of the manifest of ${id} is missing`;
      const hint = 'The next `skep prune --yes` writes it.';
      findings.add({ kind: 'manifest-copy-missing', key, message, hint }).backups.push(id);
    } else if (bytes !== undefined && copy !== undefined && !bytes.equals(copy)) {
      const message = `the copy of the manifest of ${id} differs from the manifest`;
      const hint = `The manifest is whole: in the repository run \`cp -f ${manifestKey(id)} ${key}\`.`;
      findings.add({ kind: 'manifest-copy-damaged', key, message, hint }).backups.push(id);
    }
    return manifest;
  } catch (error) {
    // It was forgotten since it was listed.
    if (error instanceof SkepError && error.code === 'backup-unknown') return undefined;
    if (!isUnreadable(error)) throw error;
    const { message } = error;
    // Where it knows how this very manifest comes back.
    const hint = error.hint === hintFor(error.code, error.context) ? {} : { hint: error.hint };
    const finding = { kind: manifestFinding(error), key: manifestKey(id), message, ...hint };
    findings.add(finding).backups.push(id);
    return undefined;
  }
}

/** Only who can open sealed ones sees what they are; the parts are checked all the same. */
async function checkDetailsOf(
  { keyring }: Vault,
  { id, details, sealed = '' }: Manifest,
  check: NonNullable<VerifyOptions['checkDetails']>,
  findings: Findings,
): Promise<void> {
  if (details === undefined && !keyring.opens) return;
  try {
    check(details ?? (await openDetails(sealed, id, keyring)), id);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const hint = `Do not restore it: find out who can write to the repository. \`skep extract ${id}\` still gives its files.`;
    findings.add({ kind: 'manifest-torn', key: manifestKey(id), message: error.message, hint }).backups.push(id);
  }
}

/** What a restore without skep needs beside the manifest. */
async function checkCompanions(backend: Backend, { id, leave }: Manifest, findings: Findings): Promise<void> {
  for (const { file, sha256 } of leave) {
    const key = companionKey(id, file);
    const bytes = await getOrEmpty(backend, key);
    if (bytes !== undefined && hash('sha256', bytes) === sha256) continue;
    const missing = bytes === undefined;
    const message = missing ? 'the file is not there' : 'its hash is not the one that the manifest has';
    findings.add({ kind: missing ? 'companion-missing' : 'companion-damaged', key, message }).backups.push(id);
  }
}

class PartWalkers {
  readonly #vault: Vault;
  readonly #listings: TreeWalker<ListingEntry>;
  readonly #inventories: TreeWalker<InventoryEntry>;
  /** Pairs of listing and inventory that were compared, with the difference if any. */
  readonly #compared = new Map<string, string | undefined>();
  readonly #objects: ObjectTable;
  /** Sealed pieces of listings, as inventories name them. */
  readonly #pieces = new ObjectTable();

  constructor(vault: Vault, objects: ObjectTable) {
    this.#vault = vault;
    this.#objects = objects;
    this.#listings = new TreeWalker(vault, {
      kind: 'listing',
      decode: decodeListingEntry,
      keyOf: (entry) => entry.path,
      bytesOf: (entry) => entry.size ?? 0,
    });
    this.#inventories = new TreeWalker(vault, {
      kind: 'inventory',
      decode: decodeInventoryEntry,
      keyOf: inventoryKey,
      bytesOf: (entry) => entry.storedSize,
      onEntry: (entry) => (entry.kind === 'piece' ? this.#pieces : objects).add(entry),
    });
  }

  /** True when the listing has no damage. */
  async check(part: ManifestPart, place: Place, findings: Findings): Promise<boolean> {
    const inventory = await this.#inventories.walk(part.inventory);
    this.#addDamages(this.#inventories, inventory, place, findings);
    if (!this.#vault.keyring.opens) return false;
    const listing = await this.#listings.walk(part.root);
    this.#addDamages(this.#listings, listing, place, findings);
    const listed = listing.damages.length === 0;
    if (listed && (inventory.damages.length > 0 || (await this.#difference(part)) !== undefined)) {
      await this.#addListedObjects(part);
    }
    if (listed && inventory.damages.length === 0) await this.#compare(part, place, listing, findings);
    return listed;
  }

  /** Who has no identity checks the listings as they are stored. What could be opened and was damaged is named already. */
  async checkSealedPieces({ findings, earlier }: Results, signal: AbortSignal | undefined): Promise<void> {
    const named = findings.keys();
    for (const piece of this.#pieces.sorted()) {
      throwIfCancelled(signal);
      if (named.has(inventoryKey(piece))) continue;
      const { name: object, storedSize, storedSha256: expected } = piece;
      const at = { key: inventoryKey(piece), object, expected };
      try {
        const found = await hashOf(this.#vault.backend, at.key, storedSize, () => {});
        const isListed = found === expected;
        if (isListed || (await hasRenewal(this.#vault, piece, (f) => f.storedSha256 === found))) {
          earlier.sawStored(at.key, { sha256: found }, !isListed);
          continue;
        }
        findings.add({ kind: 'listing-damaged', ...at, message: `the stored bytes have the hash ${found}` });
      } catch (error) {
        if (!(error instanceof SkepError) || !['object-missing', 'object-damaged'].includes(error.code)) throw error;
        const kind = error.code === 'object-missing' ? 'listing-missing' : 'listing-damaged';
        findings.add({ kind, ...at, message: error.message });
      }
    }
  }

  /** Keys of pieces that were read and are what their names say. Of a sealed one only its inventory tells the bytes. */
  *wholePieces(): Generator<string> {
    yield* this.#inventories.whole();
    if (!this.#vault.keyring.sealed) yield* this.#listings.whole();
  }

  #addDamages<T>(walker: TreeWalker<T>, tree: TreeSummary, place: Place, findings: Findings): void {
    for (const { kind, piece, message } of tree.damages) {
      hit(findings.add({ kind, key: walker.keyOf(piece), object: piece, message }), place);
    }
  }

  async #compare(part: ManifestPart, place: Place, listing: TreeSummary, findings: Findings): Promise<void> {
    if (listing.bytes !== part.bytes) {
      const message = `the listing has ${listing.bytes} bytes of files, the manifest ${part.bytes}`;
      const key = this.#listings.keyOf(part.root);
      hit(findings.add({ kind: 'listing-damaged', key, object: part.root, message }), place);
    }
    const message = await this.#difference(part);
    if (message === undefined) return;
    const { inventory } = part;
    const key = this.#inventories.keyOf(inventory);
    hit(findings.add({ kind: 'inventory-damaged', key, object: inventory, message }), place);
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
    for await (const entry of readListing(this.#vault, part.root)) {
      if (entry.linkTo !== undefined) continue;
      files++;
      table.add(inventoryEntryOf(entry));
    }
    if (files !== part.files) return `the listing has ${files} files, the manifest ${part.files}`;
    const pieces = new Set<string>();
    if (this.#vault.keyring.sealed) {
      for await (const name of pieceNames(this.#vault, 'listing', part.root)) pieces.add(name);
    }
    const wanted = table.sorted();
    for await (const found of readInventory(this.#vault, part.inventory)) {
      if (found.kind === 'piece' && pieces.delete(found.name)) continue;
      const next = wanted.next();
      if (next.done === true || !equal(next.value, found))
        return `the inventory differs from the listing at ${found.name}`;
    }
    const rest = wanted.next();
    const lacking = rest.done === true ? [...pieces][0] : rest.value.name;
    return lacking === undefined ? undefined : `the inventory lacks ${lacking}`;
  }

  async #addListedObjects(part: ManifestPart): Promise<void> {
    for await (const entry of readListing(this.#vault, part.root)) {
      if (entry.linkTo === undefined) this.#objects.add(inventoryEntryOf(entry));
    }
  }
}

function equal(a: InventoryEntry, b: InventoryEntry): boolean {
  return inventoryKey(a) === inventoryKey(b) && a.storedSize === b.storedSize && a.storedSha256 === b.storedSha256;
}

import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { throwIfCancelled } from './content/cancel.ts';
import { inventoryKey, type InventoryEntry } from './format/inventory-entry.ts';
import { encodeManifest } from './format/manifest-codec.ts';
import { MANIFEST_FORMAT, type Manifest, type ManifestDraft, type ManifestPart } from './format/manifest.ts';
import { manifestCopyKey, manifestKey, pieceKey } from './format/names.ts';
import type { Descriptor } from './format/descriptor.ts';
import type { Lease } from './lease.ts';
import { readInventory } from './listing/listing.ts';
import { childRefs, readPiece } from './listing/tree-reader.ts';

const BATCH = 1024;

/** See `Repository.publish`. */
export async function publish(
  backend: Backend,
  descriptor: Descriptor,
  draft: ManifestDraft,
  options: { lease?: Lease; signal?: AbortSignal } = {},
): Promise<Manifest> {
  const { id: repository, cluster } = descriptor;
  const manifest: Manifest = { ...draft, format: MANIFEST_FORMAT, state: 'complete', repository, cluster };
  const bytes = encodeManifest(manifest);
  for (const part of manifest.parts) await checkPart(backend, part, options.signal);
  throwIfCancelled(options.signal);
  await options.lease?.assertHeld();
  if ((await backend.put(manifestKey(manifest.id), bytes)) === 'exists') {
    throw new SkepError('repository-failed', `there is a backup ${manifest.id} already`);
  }
  await backend.put(manifestCopyKey(manifest.id), bytes);
  return manifest;
}

/** Objects may have been reused from older backups: a prune may have taken them since, so each is looked at again. */
async function checkPart(backend: Backend, part: ManifestPart, signal: AbortSignal | undefined): Promise<void> {
  await checkListing(backend, part.root);
  let batch: InventoryEntry[] = [];
  for await (const entry of readInventory(backend, part.inventory)) {
    if (batch.push(entry) < BATCH) continue;
    throwIfCancelled(signal);
    await checkObjects(backend, batch);
    batch = [];
  }
  await checkObjects(backend, batch);
}

async function checkObjects(backend: Backend, entries: readonly InventoryEntry[]): Promise<void> {
  const sizes = await backend.sizes(entries.map(inventoryKey));
  entries.forEach(({ object, storedSize }, i) => {
    if (sizes[i] === storedSize) return;
    const context = { object, expected: storedSize, found: sizes[i] };
    const hint = 'Nothing was published; run `skep backup` again: it stores what is missing.';
    if (sizes[i] === undefined) throw new SkepError('object-missing', `object ${object} is gone`, { context, hint });
    throw new SkepError('object-damaged', `object ${object} has ${sizes[i]} bytes, not ${storedSize}`, {
      context,
      hint,
    });
  });
}

/** Every piece above the leaves is read; the leaves, which hold nearly all the bytes, must be there. */
async function checkListing(backend: Backend, name: string, level?: number): Promise<void> {
  const piece = await readPiece(backend, { name, kind: 'listing', ...(level === undefined ? {} : { level }) });
  if (piece.level === 0) return;
  const refs = childRefs(piece, name);
  if (piece.level > 1) {
    for (const ref of refs) await checkListing(backend, ref.child, piece.level - 1);
    return;
  }
  const sizes = await backend.sizes(refs.map((ref) => pieceKey(ref.child)));
  const missing = refs.find((_, i) => sizes[i] === undefined);
  if (missing !== undefined) throw new SkepError('object-missing', `piece ${missing.child} of a listing is gone`);
}

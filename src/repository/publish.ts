import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { checkKept } from './check-kept.ts';
import { checkNeeded } from './check-needed.ts';
import { throwIfCancelled } from '../cancel.ts';
import { BatchObjectWriter } from './content/object-writer.ts';
import { decodeManifest, encodeManifest } from './format/manifest-codec.ts';
import { MANIFEST_FORMAT, type Manifest, type ManifestDraft } from './format/manifest.ts';
import { companionKey, manifestCopyKey, manifestKey } from './format/names.ts';
import type { Descriptor } from './format/descriptor.ts';
import { companionsOf } from './leave/companions.ts';
import { readListing, writeListing } from './listing/listing.ts';
import { isRevoked, notePublished } from './manifests.ts';
import { putCopy } from './manifest-copy.ts';
import { lockEnd, lockKeys } from './retention/lock.ts';
import { sealDetails } from './sealing/details.ts';
import { hostMark, type Vault } from './sealing/keyring.ts';
import type { PublishOptions } from './types.ts';

/** See `Repository.publish`. */
export async function publish(
  vault: Vault,
  descriptor: Descriptor,
  draft: ManifestDraft,
  options: PublishOptions = {},
): Promise<Manifest> {
  const { id: repository, cluster } = descriptor;
  const { details, hostIds, ...rest } = draft;
  const plain = { ...rest, format: MANIFEST_FORMAT, state: 'complete', repository, cluster } as const;
  const { keyring } = vault;
  const recipients = keyring.recipients();
  const hosts = hostIds && keyring.sealed ? { hosts: hostIds.map((id) => hostMark(keyring, id)) } : {};
  const body = recipients === undefined ? { details } : { sealed: await sealDetails(details, recipients), ...hosts };
  return publishManifest(vault, { ...plain, ...body }, options);
}

/** The same with details as they are to be stored. */
export async function publishManifest(
  vault: Vault,
  plain: Omit<Manifest, 'leave' | 'mac'>,
  options: PublishOptions = {},
): Promise<Manifest> {
  const { backend, keyring } = vault;
  const { id } = plain;
  const companions = companionsOf(plain, keyring.sealed);
  const manifest: Manifest = { ...plain, leave: companions.map((c) => c.companion) };
  const bytes = encodeManifest(manifest, keyring.sealed ? (text) => keyring.mac(text) : undefined);
  await checkOrMend(vault, manifest, options);
  throwIfCancelled(options.signal);
  // Before the manifest: a backup that exists can be left with. What a run that ends here leaves behind is no backup.
  for (const { companion, bytes: file } of companions)
    await putCompanion(backend, companionKey(id, companion.file), file);
  await options.lease?.assertHeld();
  const { retention } = backend;
  const lockMs = (await retention?.isOn()) === true ? options.lockMs : undefined;
  // With the manifest, not after it: who can delete is not given a moment. What is beside it can be made again.
  const locked = lockMs === undefined ? {} : { lockUntil: lockEnd(lockMs) };
  if ((await backend.put(manifestKey(id), bytes, locked)) === 'exists') await checkWritten(backend, id, bytes);
  await checkKept(backend, [{ key: manifestKey(id), size: bytes.length }]);
  await putCopy(backend, id, bytes, locked);
  // As the copy: the next prune writes what is missing.
  await notePublished(vault, id).catch(() => undefined);
  const own = [manifestKey(id), manifestCopyKey(id), ...companions.map((c) => companionKey(id, c.companion.file))];
  if (retention !== undefined && lockMs !== undefined) await lockKeys(retention, own, lockMs);
  return decodeManifest(bytes, id);
}

/** Of a copy that ended here before there may be a half of it. */
async function putCompanion(backend: Backend, key: string, bytes: Buffer): Promise<void> {
  if ((await backend.put(key, bytes)) === 'exists' && (await backend.sizes([key]))[0] !== bytes.length) {
    await backend.put(key, bytes, { overwrite: true });
  }
  await checkKept(backend, [{ key, size: bytes.length }]);
}

/** Pieces of an inventory may have been taken over, unread, from an older one that is damaged: they follow from the listing. */
async function checkOrMend(vault: Vault, manifest: Manifest, options: PublishOptions): Promise<void> {
  try {
    await checkNeeded(vault, manifest, options);
  } catch (error) {
    if (!(error instanceof SkepError) || !isPieceDamage(error) || !vault.keyring.opens) throw error;
    options.onDamage?.(error.message);
    const writer = new BatchObjectWriter(vault, { run: manifest.id, writer: 'publish' });
    try {
      for (const { root } of manifest.parts) await writeListing(readListing(vault, root), writer, options);
      await writer.close();
    } catch (failure) {
      await writer.abort();
      throw failure;
    }
    await checkNeeded(vault, manifest, options);
  }
}

function isPieceDamage({ code, context }: SkepError): boolean {
  const key = context['key'];
  return (
    ['object-missing', 'object-damaged'].includes(code) && !(typeof key === 'string' && key.startsWith('objects/'))
  );
}

/** A put whose answer was lost may have been sent again: the manifest is there, and it is this one. */
async function checkWritten(backend: Backend, id: string, bytes: Buffer): Promise<void> {
  const found = await backend.get(manifestKey(id));
  if (found.equals(bytes)) return;
  if (isRevoked(found)) {
    const hint = 'Nothing was published; run `skep backup` again: it stores only what is missing.';
    throw new SkepError('locked', `this run was taken for dead: its lease was taken away`, { hint });
  }
  throw new SkepError('repository-failed', `there is a backup ${id} already`);
}

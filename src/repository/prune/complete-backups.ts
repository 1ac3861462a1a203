import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { decodeManifest } from '../format/manifest-codec.ts';
import { keepDescriptorCopy } from '../descriptor-copy.ts';
import { manifestCopyKey, manifestKey } from '../format/names.ts';
import { putCopy } from '../manifest-copy.ts';
import { getOrEmpty, isUnreadable, listBackupIds, notePublished, publishedIds, readManifest } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';

/**
 * Writes what is missing beside `skep.json` and good manifests: the copy, and the note that the backup was published. Only under a delete
 * lease: a forget that is under way removes both.
 */
export async function completeBackups(vault: Vault): Promise<void> {
  const { backend } = vault;
  await keepDescriptorCopy(backend);
  const noted = await publishedIds(backend);
  for (const id of await listBackupIds(backend)) {
    try {
      await readManifest(vault, id);
    } catch (error) {
      // What is damaged is told by the marking.
      if (isUnreadable(error) || (error instanceof SkepError && error.code === 'backup-unknown')) continue;
      throw error;
    }
    await completeCopy(backend, id);
    if (!noted.has(id)) await notePublished(vault, id);
  }
}

/** A copy that is torn is written anew from a manifest whose bytes are good. */
async function completeCopy(backend: Backend, id: string): Promise<void> {
  const [bytes, copy] = await Promise.all(
    [manifestKey(id), manifestCopyKey(id)].map((key) => getOrEmpty(backend, key)),
  );
  if (bytes === undefined || copy?.equals(bytes)) return;
  decodeManifest(bytes, id);
  if (copy !== undefined) await backend.delete(manifestCopyKey(id));
  await putCopy(backend, id, bytes, {});
}

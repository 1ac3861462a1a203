import { SkepError } from '../../errors.ts';
import { manifestCopyKey, manifestKey } from '../format/names.ts';
import { listBackupIds, notePublished, publishedIds, readManifest, tryGet } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';

/**
 * Writes what is missing beside good manifests: the copy, and the note that the backup was published. Only under a delete
 * lease: a forget that is under way removes both.
 */
export async function completeBackups(vault: Vault): Promise<void> {
  const { backend } = vault;
  const noted = await publishedIds(backend);
  for (const id of await listBackupIds(backend)) {
    try {
      await readManifest(vault, id);
    } catch (error) {
      // What is damaged is told by the marking.
      if (error instanceof SkepError && ['manifest-damaged', 'backup-unknown'].includes(error.code)) continue;
      throw error;
    }
    const [copy] = await backend.sizes([manifestCopyKey(id)]);
    const bytes = copy === undefined ? await tryGet(backend, manifestKey(id)) : undefined;
    if (bytes !== undefined) await backend.put(manifestCopyKey(id), bytes);
    if (!noted.has(id)) await notePublished(backend, id);
  }
}

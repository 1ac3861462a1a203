import { hash } from 'node:crypto';
import { throwIfCancelled } from '../cancel.ts';
import { objectKey } from './format/names.ts';
import { listBackupIds, readManifest, tellsNothing } from './manifests.ts';
import { neededKeys } from './needed-keys.ts';
import { KeySet } from './prune/key-set.ts';
import type { Vault } from './sealing/keyring.ts';

/** In which bytes the backups of a repository expect what they need, by their inventories. About 100 bytes a key. */
export class KnownForms {
  readonly #forms = new KeySet();
  readonly #keys = new KeySet();

  /** A backup that cannot be read tells nothing. */
  static async of(vault: Vault, signal?: AbortSignal): Promise<KnownForms> {
    const known = new KnownForms();
    const seen = new Set<string>();
    for (const id of await listBackupIds(vault.backend)) {
      try {
        for await (const { key, name, stored } of neededKeys(vault, await readManifest(vault, id), seen)) {
          throwIfCancelled(signal);
          if (stored === undefined || stored.sha256 === name) continue;
          known.#keys.add(key);
          known.#forms.add(formKey(key, stored.sha256));
        }
      } catch (error) {
        if (!tellsNothing(error)) throw error;
      }
    }
    return known;
  }

  /** Whether some backup needs the key. */
  lists(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Whether some backup expects it in these bytes. */
  has(key: string, storedSha256: string): boolean {
    return this.#forms.has(formKey(key, storedSha256));
  }
}

/** The set keeps keys of objects: the pair of key and bytes as the name of one. */
function formKey(key: string, storedSha256: string): string {
  return objectKey(hash('sha256', `${key} ${storedSha256}`), 'raw');
}

import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { decodeInventoryEntry, inventoryKey } from '../format/inventory-entry.ts';
import { pieceKey } from '../format/names.ts';
import { compareBytewise } from '../format/order.ts';
import { decodeChildRef, openPiece } from '../format/piece.ts';
import { listBackupIds, readManifest, tellsNothing } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';
import { hashOf } from '../verify/check-objects.ts';
import { type Form, renewalsOf } from './renewals.ts';

/**
 * What an error of opening a sealed key says. To a flipped bit in an age header no identity fits: `key-wrong` is `object-damaged`
 * where the stored bytes are none that a backup expects under that key. Every other error comes back as it is.
 */
export async function damageOrWrongKey(vault: Vault, key: string, error: unknown): Promise<unknown> {
  if (!(error instanceof SkepError) || error.code !== 'key-wrong') return error;
  const { forms, unsure } = await expectedForms(vault, key);
  if (forms.length === 0 && !unsure) return error;
  const [size] = await vault.backend.sizes([key]);
  const sha256 = size === undefined ? undefined : await hashOf(vault.backend, key, size, () => undefined);
  const known = [...forms, ...(await renewalsOf(vault, key))];
  if (known.some((form) => form.storedSha256 === sha256)) return error;
  const why = unsure ? 'so is an inventory that tells its bytes' : 'its bytes are not those that its backups expect';
  return new SkepError('object-damaged', `its age header is damaged, and ${why}`, { cause: error });
}

/** In which bytes backups expect a key, by their inventories; `unsure` when one that may tell cannot be read. */
async function expectedForms(vault: Vault, key: string): Promise<{ forms: Form[]; unsure: boolean }> {
  const forms: Form[] = [];
  const seen = new Set<string>();
  let unsure = false;
  for (const id of await listBackupIds(vault.backend)) {
    try {
      const { parts } = await readManifest(vault, id);
      for (const { inventory } of parts) forms.push(...(await formsBelow(vault.backend, inventory, key, seen)));
    } catch (error) {
      if (!tellsNothing(error)) throw error;
      unsure ||= error.code.startsWith('object-');
    }
  }
  return { forms, unsure: unsure && forms.length === 0 };
}

/** Only the pieces on the way to the key are read; none that was seen. */
async function formsBelow(backend: Backend, name: string, key: string, seen: Set<string>): Promise<Form[]> {
  if (seen.has(name)) return [];
  seen.add(name);
  // Inventories are not sealed.
  const { level, lines } = openPiece(await backend.get(pieceKey(name, 'zstd')), { name, kind: 'inventory' });
  if (level > 0) {
    const child = lines.map(decodeChildRef).findLast((ref) => ref && compareBytewise(ref.first, key) <= 0)?.child;
    return child === undefined ? [] : formsBelow(backend, child, key, seen);
  }
  return lines
    .map(decodeInventoryEntry)
    .filter((entry) => entry !== undefined && inventoryKey(entry) === key) as Form[];
}

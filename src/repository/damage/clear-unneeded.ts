import type { Backend } from '../backend/backend.ts';
import { renewalPrefix } from '../format/names.ts';
import type { KeySet } from '../prune/key-set.ts';
import { clearDamage, notedDamage } from './notes.ts';

const RENEWALS = renewalPrefix('').slice(0, -1);

/** Removes what is noted about objects and pieces that no backup needs and that are gone. */
export async function clearUnneeded(backend: Backend, needed: KeySet): Promise<void> {
  const noted = await notedDamage(backend);
  for await (const { key } of backend.list(RENEWALS)) noted.add(key.slice(RENEWALS.length, key.lastIndexOf('/')));
  const unneeded = [...noted].filter((key) => !needed.has(key));
  const sizes = await backend.sizes(unneeded);
  const gone = unneeded.filter((_, i) => sizes[i] === undefined);
  await clearDamage(backend, gone);
  for (const key of gone) await backend.deletePrefix(renewalPrefix(key));
}

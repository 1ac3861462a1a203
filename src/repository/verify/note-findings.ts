import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { isOfPresence, noteDamage, noteDamageAnew, notedKind } from '../damage/notes.ts';
import { isContentKey } from '../prune/key-set.ts';
import type { Finding } from './report.ts';

/**
 * Notes in the repository which objects and pieces are damaged, so that the next backup does not take them for good. Gives
 * what is to be told when that cannot be: a verify may have nothing but the right to read.
 */
export async function noteFindings(backend: Backend, findings: readonly Finding[]): Promise<string[]> {
  try {
    for (const { kind, key, message } of findings) {
      if (!isContentKey(key)) continue;
      const why = { kind, message, at: new Date() };
      if ((await noteDamage(backend, key, why)) === 'created' || isOfPresence(kind)) continue;
      // Else the right size would be enough to take it back.
      if (isOfPresence(await notedKind(backend, key))) await noteDamageAnew(backend, key, why);
    }
    return [];
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    return [`what is damaged could not be noted for the next backup: ${error.message}`];
  }
}

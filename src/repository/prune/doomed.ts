import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { isContentKey, KeySet } from './key-set.ts';

const GROUP = 1000;

export interface Doomed {
  /** What no backup needs and nothing locks. */
  keys: KeySet;
  objects: number;
  pieces: number;
  /** Left out because of object lock; `until` is when the last of them is free. */
  locked: { keys: number; bytes: number; until?: Date };
  /** Keys below `objects/` and `listings/` that are neither; never touched. */
  unknown: number;
}

/** What there is and nobody needs. */
export async function findDoomed(
  backend: Backend,
  needed: KeySet,
  options: { signal?: AbortSignal } = {},
): Promise<Doomed> {
  const doomed: Doomed = { keys: new KeySet(), objects: 0, pieces: 0, locked: { keys: 0, bytes: 0 }, unknown: 0 };
  for (const prefix of ['objects/', 'listings/']) {
    let group: { key: string; size: number }[] = [];
    for await (const { key, size } of backend.list(prefix)) {
      if (!isContentKey(key)) doomed.unknown++;
      else if (!needed.has(key) && group.push({ key, size }) === GROUP) {
        throwIfCancelled(options.signal);
        await add(backend, doomed, group);
        group = [];
      }
    }
    await add(backend, doomed, group);
  }
  return doomed;
}

async function add(backend: Backend, doomed: Doomed, group: readonly { key: string; size: number }[]): Promise<void> {
  const now = Date.now();
  const until = (await backend.retention?.lockedUntil(group.map(({ key }) => key))) ?? [];
  group.forEach(({ key, size }, i) => {
    const end = until[i];
    if (end !== undefined && end.getTime() > now) {
      doomed.locked.keys++;
      doomed.locked.bytes += size;
      if (doomed.locked.until === undefined || doomed.locked.until < end) doomed.locked.until = end;
      return;
    }
    doomed.keys.add(key, size);
    doomed[key.startsWith('objects/') ? 'objects' : 'pieces']++;
  });
}

/** What a careless product would see of a storage: with each of these histories must go wrong. */
import type { Backend, Batch, StoredKey } from '../../../../../src/repository/backend/backend.ts';
import { withCalls } from '../../support/step-backend.ts';

/** Takes for granted that what it sent is there as it was sent. */
export function believingPuts(backend: Backend): Backend {
  const sent = new Map<string, number>();
  return withCalls(backend, {
    put: (key, bytes, options) => {
      sent.set(key, bytes.length);
      return backend.put(key, bytes, options);
    },
    openBatch: (prefix) => {
      const batch = backend.openBatch(prefix);
      const add: Batch['add'] = (staged, key, onConflict) => {
        sent.set(key, staged.size);
        batch.add(staged, key, onConflict);
      };
      return withCalls(batch, { add });
    },
    sizes: async (keys) => {
      const sizes = await backend.sizes(keys);
      return keys.map((key, i) => (sizes[i] === undefined ? undefined : (sent.get(key) ?? sizes[i])));
    },
  });
}

/** Lists the backups once and keeps to that; takes no note of what was published. */
export function believingListings(backend: Backend): Backend {
  let known: StoredKey[] | undefined;
  return withCalls(backend, {
    names: async (prefix: string) => (prefix === 'published/' ? new Map() : backend.names(prefix)),
    list: async function* list(prefix: string) {
      if (prefix !== 'backups/') return yield* backend.list(prefix);
      if (known === undefined) {
        known = [];
        for await (const key of backend.list(prefix)) known.push(key);
      }
      yield* known;
    },
  });
}

/** Says that contents are published before they are: they come when the run has ended. */
export function hastyFlushes(backend: Backend): Backend {
  const late: (() => Promise<unknown>)[] = [];
  const promised = new Map<string, number>();
  return withCalls(backend, {
    openBatch: (prefix) => {
      const batch = backend.openBatch(prefix);
      const held: Parameters<Batch['add']>[] = [];
      late.push(() => {
        for (const addition of held) batch.add(...addition);
        return batch.flush();
      });
      return withCalls(batch, {
        add: (staged, key, onConflict) => {
          if (!key.startsWith('objects/')) return batch.add(staged, key, onConflict);
          held.push([staged, key, onConflict]);
          promised.set(key, staged.size);
        },
        // Its place goes with the run.
        close: async () => undefined,
      });
    },
    sizes: async (keys) => {
      const sizes = await backend.sizes(keys);
      return keys.map((key, i) => sizes[i] ?? promised.get(key));
    },
    deletePrefix: async (prefix) => {
      for (const publish of late.splice(0)) await publish();
      await backend.deletePrefix(prefix);
    },
  });
}

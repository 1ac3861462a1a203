import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { ContentSource } from '../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { probeBackend } from '../../../src/repository/backend/probe.ts';

/** A storage that does not keep one promise. */
function broken(change: (backend: MemoryBackend) => Partial<MemoryBackend> | { keyFirst: true }): MemoryBackend {
  const backend = new MemoryBackend();
  return Object.assign(backend, change(backend));
}

const REFUSED = new SkepError('repository-failed', 'it says no');

const faults: [string, MemoryBackend][] = [
  ['created', broken(() => ({ put: async () => 'exists' as const }))],
  ['created', broken(() => ({ put: () => Promise.reject(REFUSED) }))],
  ['readAtOnce', broken(() => ({ get: () => Promise.reject(new SkepError('object-missing', 'not yet')) }))],
  ['createOnly', broken((b) => ({ put: async (key, bytes) => (b.contents.set(key, Buffer.from(bytes)), 'created') }))],
  [
    'createOnly',
    broken((b) => {
      const put = b.put.bind(b);
      return {
        put: async (key, bytes, o) => {
          const done = await put(key, bytes, o);
          // It says that the key exists, and writes all the same.
          b.contents.set(key, Buffer.from(bytes));
          return done;
        },
      };
    }),
  ],
  ['ranges', broken((b) => ({ get: async (key) => b.contents.get(key) ?? Buffer.alloc(0) }))],
  ['sizes', broken(() => ({ sizes: async (keys) => keys.map(() => 1) }))],
  [
    'notLocked',
    broken(
      () => ({ retention: { lockedUntil: async (k: readonly string[]) => k.map(() => new Date(9e12)) } }) as object,
    ),
  ],
  [
    'overwritten',
    broken((b) => {
      const put = b.put.bind(b);
      return { put: (key, bytes, o) => (o?.overwrite ? Promise.resolve('created' as const) : put(key, bytes)) };
    }),
  ],
  ['listed', broken(() => ({ list: async function* () {} }))],
  ['deleted', broken(() => ({ delete: async () => true }))],
  [
    'createdAgain',
    broken((b) => {
      const [put, remove] = [b.put.bind(b), b.delete.bind(b)];
      const gone = new Set<string>();
      return {
        put: async (key, bytes, o) => (gone.has(key) ? ('exists' as const) : put(key, bytes, o)),
        delete: async (key) => (gone.add(key), remove(key)),
      };
    }),
  ],
  [
    'published',
    broken((b) => {
      const open = b.openBatch.bind(b);
      // Without links nothing is published.
      return { openBatch: (prefix) => Object.assign(open(prefix), { flush: () => Promise.reject(REFUSED) }) };
    }),
  ],
  [
    'publishedLarge',
    broken((b) => {
      const open = b.openBatch.bind(b);
      let large = false;
      return {
        keyFirst: true as const,
        openBatch: (prefix: string) => {
          const batch = open(prefix);
          const [stage, flush] = [batch.stage.bind(batch), batch.flush.bind(batch)];
          return Object.assign(batch, {
            stage: (to?: object) => ((large ||= to !== undefined), stage()),
            // The end of a large upload does not look whether the key is there.
            flush: async () => {
              const existed = await flush();
              return large ? new Set<string>() : existed;
            },
          });
        },
      };
    }),
  ],
  [
    'checked',
    broken((b) => {
      const open = b.openBatch.bind(b);
      return {
        openBatch: (prefix) => {
          const batch = open(prefix);
          return Object.assign(batch, {
            // It takes what comes, whatever was signed.
            async stageSource(source: ContentSource) {
              const bytes = Buffer.alloc(source.size);
              await source.read(bytes, 0);
              return batch.stageBytes(bytes);
            },
          });
        },
      };
    }),
  ],
];

describe('the probe', () => {
  test('finds a storage fit that keeps all', async () => {
    const backend = Object.assign(new MemoryBackend(), { keyFirst: true });
    await probeBackend(backend, { thorough: true });
    expect(backend.contents.size).toBe(0);
  });

  test.each(faults)('refuses a storage that does not keep `%s`, and names it', async (promise, backend) => {
    const refusal = await probeBackend(backend, { thorough: true }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 'repository-unfit', exitCode: 10, context: { promise } });
    expect((refusal as SkepError).message).toMatch(/^the storage at memory does not hold that \w/);
  });

  test('tells what is not kept, not that it cannot clean up', async () => {
    const backend = broken(
      () =>
        ({
          retention: { lockedUntil: async (k: readonly string[]) => k.map(() => new Date(9e12)) },
          deletePrefix: () => Promise.reject(new SkepError('object-locked', 'it is locked')),
        }) as object,
    );
    await expect(probeBackend(backend)).rejects.toMatchObject({ context: { promise: 'notLocked' } });
  });

  test('takes what may pass by itself, and wrong credentials, for what they are', async () => {
    for (const error of [
      new SkepError('repository-failed', 'cannot reach it', { retryable: true }),
      new SkepError('repository-credentials', 'refused'),
      new SkepError('no-space', 'full'),
    ]) {
      const backend = broken(() => ({ put: () => Promise.reject(error) }));
      await expect(probeBackend(backend)).rejects.toBe(error);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { acquireLease } from '../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../src/repository/repository.ts';
import { ownerOf, pruneOn, Writer } from './support/races.ts';
import { CLUSTER } from './support/repository.ts';

const KB = 1024;

/** A disk of so many bytes and files. */
class SmallBackend extends MemoryBackend {
  capacity = Infinity;
  maxKeys = Infinity;

  get used(): number {
    return [...this.contents.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  }

  override async put(key: string, bytes: Uint8Array, options: { overwrite?: boolean } = {}) {
    const isFull = this.used + bytes.length > this.capacity || this.contents.size >= this.maxKeys;
    if (isFull) throw new SkepError('no-space', `no room for ${key}`);
    return super.put(key, bytes, options);
  }
}

async function scene() {
  const backend = new SmallBackend();
  const repo = await initOnBackend(backend, CLUSTER);
  const free = (bytes: number) => (backend.capacity = backend.used + bytes);
  return { backend, repo, free, size: () => backend.contents.get('ballast')?.length };
}

describe('a ballast', () => {
  test.each([
    [64_000, { state: 'made', bytes: 64_000, inodes: 32 }],
    [1_000 * KB, { state: 'smaller', bytes: 256 * KB, inodes: 32 }],
    [300 * KB, { state: 'smaller', bytes: 128 * KB, inodes: 32 }],
    [100 * KB, { state: 'smaller', bytes: 64 * KB, inodes: 32 }],
    [63 * KB, { state: 'no-space', bytes: 0, inodes: 32 }],
  ])(
    'where %d bytes are free has its size or, where it does not fit, leaves as much as it takes',
    async (room, made) => {
      const { repo, free, size } = await scene();
      free(room);
      expect(await repo.makeBallast(made.state === 'made' ? made.bytes : 1024 * KB)).toEqual(made);
      expect(size() ?? 0).toBe(made.bytes);
    },
  );

  test('leaves some inodes where there are fewer than it wants; the next prune has it take all', async () => {
    const { backend, repo } = await scene();
    const before = backend.contents.size;
    backend.maxKeys = before + 1 + 9;
    const made = { state: 'smaller', bytes: 100 * KB, inodes: 5 };
    expect(await repo.makeBallast(100 * KB)).toEqual(made);
    expect(backend.contents.size).toBe(before + 1 + 5);
    backend.maxKeys = Infinity;
    expect(await repo.makeBallast(100 * KB)).toEqual(made);
    expect(await pruneOn(backend, { ballastBytes: 100 * KB })).toMatchObject({ ballast: 'made', ballastInodes: 32 });
  });

  test('that is wanted no more is gone, with its empty files', async () => {
    const { backend, repo } = await scene();
    const before = [...backend.contents.keys()];
    await repo.makeBallast(100 * KB);
    expect(await repo.makeBallast(0)).toEqual({ state: 'none', bytes: 0, inodes: 0 });
    expect([...backend.contents.keys()]).toEqual(before);
  });

  test('of a repository that an older version made gets its empty files', async () => {
    const { backend, repo } = await scene();
    await backend.put('ballast', Buffer.alloc(100 * KB));
    expect(await repo.makeBallast(100 * KB)).toEqual({ state: 'there', bytes: 100 * KB, inodes: 32 });
  });

  test('that is smaller stays until a prune, which tries again', async () => {
    const { backend, repo, free } = await scene();
    free(300 * KB);
    await repo.makeBallast(1024 * KB);
    free(9_999 * KB);
    expect(await repo.makeBallast(1024 * KB)).toEqual({ state: 'smaller', bytes: 128 * KB, inodes: 32 });
    const pruned = await pruneOn(backend, { ballastBytes: 1024 * KB });
    expect(pruned).toMatchObject({ ballast: 'made', ballastBytes: 1024 * KB });
  });

  test('that a forget on a full disk has used up is made again', async () => {
    const { backend, repo, free, size } = await scene();
    const backups = [await Writer.backUp(backend, ['a']), await Writer.backUp(backend, ['b'])];
    await repo.makeBallast(100 * KB);
    free(0);
    const ids = [backups[0]!.id];
    await repo.forget({ owner: ownerOf('f'), ids, minimum: 1, ballastBytes: 100 * KB });
    expect(size()).toBe(100 * KB);
    expect((await repo.list()).map(({ id }) => id)).toEqual([backups[1]!.id]);
  });

  test('that a forget has used up which then failed is made again too', async () => {
    const { backend, repo, free, size } = await scene();
    const backup = await Writer.backUp(backend, ['a']);
    await Writer.backUp(backend, ['b']);
    await repo.makeBallast(100 * KB);
    free(0);
    const forgetting = repo.forget({ owner: ownerOf('f'), ids: [backup.id], minimum: 2, ballastBytes: 100 * KB });
    await expect(forgetting).rejects.toMatchObject({ code: 'below-minimum' });
    expect(size()).toBe(100 * KB);
  });

  test('that an unlock on a full disk has used up is made again', async () => {
    const { backend, repo, free, size } = await scene();
    const lease = await acquireLease(backend, 'write', ownerOf('20260101T000000Z-0123456789ab'));
    await lease.leave();
    await repo.makeBallast(512 * KB);
    free(0);
    await repo.unlock([lease.id], { by: 'me', force: true, ballastBytes: 512 * KB });
    expect(await repo.leases()).toEqual([]);
    expect(size()).toBe(512 * KB);
  });
});

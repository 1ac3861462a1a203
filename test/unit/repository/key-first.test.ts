import { hash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { initOnBackend } from '../../../src/repository/repository.ts';
import { CLUSTER, collect, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

const LARGE = 1_000_000;

/** A storage that wants to know the key first; `onStage` is called before a content is staged for one. */
async function setUp(onStage: () => Promise<void> = async () => undefined) {
  const staged: (string | undefined)[] = [];
  const backend = Object.assign(new MemoryBackend(), { keyFirst: true });
  const open = backend.openBatch.bind(backend);
  backend.openBatch = (prefix) => {
    const batch = open(prefix);
    const stage = batch.stage.bind(batch);
    return Object.assign(batch, {
      async stage(to?: { key: string; size: number }) {
        staged.push(to?.key);
        if (to?.key.startsWith('objects/')) await onStage();
        return stage(to);
      },
    });
  };
  const repo = await initOnBackend(backend, CLUSTER);
  const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
  staged.length = 0;
  return { repo, backend, writer, staged, folder: await temporaryFolder() };
}

describe('on a storage that wants to know the key first', () => {
  test.each([
    ['raw', randomBytes(LARGE), ''],
    ['zstd', Buffer.alloc(LARGE, 'again and '), '.zst'],
  ])('a large file is staged for its key, %s', async (encoding, bytes, suffix) => {
    const { repo, writer, staged, folder } = await setUp();
    let read = 0;
    const stored = await writer.putFile(await writeTemporary(folder, 'f', bytes), { onBytes: (n) => (read += n) });
    const name = hash('sha256', bytes);
    expect(stored).toMatchObject({ name, size: LARGE, encoding, isNew: true });
    expect(staged).toEqual([`objects/${name.slice(0, 2)}/${name}${suffix}`]);
    expect(read).toBe(LARGE);
    await writer.close();
    expect(Buffer.concat(await collect(await repo.readObject(name))).equals(bytes)).toBe(true);
  });

  test('a large file that is stored already is not staged', async () => {
    const { writer, staged, folder } = await setUp();
    const bytes = randomBytes(LARGE);
    await writer.putFile(await writeTemporary(folder, 'f', bytes));
    const again = await writer.putFile(await writeTemporary(folder, 'g', bytes));
    expect(again.isNew).toBe(false);
    expect(staged).toHaveLength(1);
    await writer.close();
  });

  test('a file that changes between the two readings is read once, and stored as it was then', async () => {
    const changed = randomBytes(LARGE);
    let path = '';
    const { repo, writer, staged, folder } = await setUp(() => writeFile(path, changed));
    path = await writeTemporary(folder, 'f', randomBytes(LARGE));
    const stored = await writer.putFile(path);
    expect(stored.name).toBe(hash('sha256', changed));
    expect(staged).toEqual([expect.stringMatching(/^objects\//), undefined]);
    await writer.close();
    expect(Buffer.concat(await collect(await repo.readObject(stored.name))).equals(changed)).toBe(true);
  });

  test('a file that is written through a memory map is read once', async () => {
    const { writer, staged, folder } = await setUp();
    await writer.putFile(await writeTemporary(folder, 'f', randomBytes(LARGE)), { reread: true });
    expect(staged).toEqual([undefined]);
    await writer.close();
  });

  test('a file that is not what it should be is refused before anything is sent', async () => {
    const { writer, staged, backend, folder } = await setUp();
    const path = await writeTemporary(folder, 'f', randomBytes(LARGE));
    await expect(writer.putFile(path, { expectSha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'object-damaged',
    });
    expect(staged).toEqual([]);
    await writer.close();
    expect([...backend.contents.keys()].filter((key) => key.startsWith('objects/'))).toEqual([]);
  });
});

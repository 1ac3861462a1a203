import { hash, randomBytes } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { fileThreads } from '../../../src/repository/content/threads/file-threads.ts';
import {
  initRepository,
  openRepository,
  type RepositoryAccess,
  useFileThreads,
} from '../../../src/repository/index.ts';
import { objectKey, pieceKey } from '../../../src/repository/format/names.ts';
import { CLUSTER, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Enough for threads to be worth starting. */
const LARGE = 33 << 20;
const NOISE = randomBytes(LARGE);
const TEXT = Buffer.alloc(LARGE, 'observable 198.51.100.7 seen in case 42; ');
const NO_WATCH = { check: () => {} };

beforeAll(() => useFileThreads());
afterEach(() => vi.restoreAllMocks());

async function keysOf(kind: 'raw' | 'sealed'): Promise<{ writing: Partial<RepositoryAccess>; identities: string[] }> {
  if (kind === 'raw') return { writing: {}, identities: [] };
  const identity = await generateX25519Identity();
  const recipients = [await identityToRecipient(identity)];
  return { writing: { namingKey: randomBytes(32).toString('hex'), recipients }, identities: [identity] };
}

describe.each(['raw', 'sealed'] as const)('in a %s repository threads', (kind) => {
  test.each([
    ['noise', NOISE],
    ['text', TEXT],
  ])('store %s and lay it out again', async (_, content) => {
    const folder = await temporaryFolder();
    const location = join(folder, 'repo');
    const { writing, identities } = await keysOf(kind);
    const repo = await initRepository({ location, ...writing }, CLUSTER);
    const run = vi.spyOn(fileThreads, 'run');
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    let read = 0;
    const path = await writeTemporary(folder, 'f', content);
    const stored = await writer.putFile(path, { onBytes: (n) => (read += n) });
    await writer.close();
    expect(read).toBe(LARGE);
    expect(stored).toMatchObject({ sha256: hash('sha256', content), size: LARGE, isNew: true });
    const kept = await readFile(join(location, objectKey(stored.name, stored.encoding)));
    expect([stored.storedSize, stored.storedSha256]).toEqual([kept.length, hash('sha256', kept)]);

    const reader = await openRepository({ location, identities });
    let written = 0;
    const target = join(folder, 'out');
    const extracted = await reader.extract(stored.name, target, { onBytes: (n) => (written += n), mode: 0o600 });
    expect(extracted).toBe(LARGE);
    expect(written).toBe(LARGE);
    expect(run.mock.calls.map(([job]) => job.do)).toEqual(['store', 'extract']);
    expect((await readFile(target)).equals(content)).toBe(true);
  });

  test('give out nothing that was damaged', async () => {
    const folder = await temporaryFolder();
    const location = join(folder, 'repo');
    const { writing, identities } = await keysOf(kind);
    const repo = await initRepository({ location, ...writing }, CLUSTER);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    const stored = await writer.putFile(await writeTemporary(folder, 'f', NOISE));
    await writer.close();
    await flip(join(location, objectKey(stored.name, stored.encoding)), LARGE >> 1);
    const reader = await openRepository({ location, identities });
    const run = vi.spyOn(fileThreads, 'run');
    await expect(reader.extract(stored.name, join(folder, 'out'))).rejects.toMatchObject({
      code: 'object-damaged',
      message: expect.stringContaining(stored.name) as string,
    });
    expect(run).toHaveBeenCalled();
    expect((await readdir(folder)).sort()).toEqual(['f', 'repo']);
  });
});

describe('threads', () => {
  test('refuse a content that is not the expected one, and leave nothing of it', async () => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    const path = await writeTemporary(folder, 'f', NOISE);
    const expectSha256 = hash('sha256', TEXT);
    await expect(writer.putFile(path, { expectSha256 })).rejects.toMatchObject({ code: 'object-damaged' });
    await writer.close();
    const all = await readdir(join(folder, 'repo'), { recursive: true, withFileTypes: true });
    expect(all.filter((e) => e.isFile() && /objects|incoming/.test(e.parentPath))).toEqual([]);
  });

  test('end a job that is cancelled, and do the next one', async () => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    const path = await writeTemporary(folder, 'f', NOISE);
    const cancelling = new AbortController();
    let read = 0;
    const onBytes = (n: number) => {
      read += n;
      cancelling.abort();
    };
    await expect(writer.putFile(path, { signal: cancelling.signal, onBytes })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(LARGE);
    expect(await writer.putFile(path)).toMatchObject({ isNew: true, size: LARGE });
    await writer.close();
  });

  test('do more jobs than there are threads', async () => {
    const folder = await temporaryFolder();
    const path = await writeTemporary(folder, 'f', TEXT);
    const descriptor = openSync(path, 'r');
    try {
      const job = { do: 'hash', from: { path, descriptor }, encoder: { compression: 'auto', recipients: undefined } };
      const jobs = Array.from({ length: 9 }, () => fileThreads.run(job as never, NO_WATCH));
      const hashed = { sha256: hash('sha256', TEXT), size: LARGE, encoding: 'zstd' };
      expect(await Promise.all(jobs)).toEqual(Array.from({ length: 9 }, () => hashed));
    } finally {
      closeSync(descriptor);
    }
  });

  test('tell which file they cannot read or write', async () => {
    const folder = await temporaryFolder();
    const path = await writeTemporary(folder, 'f', NOISE);
    const [directory, file] = [openSync(folder, 'r'), openSync(path, 'r')];
    try {
      const encoder = { compression: 'off', recipients: undefined } as const;
      const unreadable = { do: 'hash', from: { path: folder, descriptor: directory }, encoder } as const;
      await expect(fileThreads.run(unreadable, NO_WATCH)).rejects.toMatchObject({
        code: 'file-unreadable',
        context: { path: folder },
      });
      const from = { path, descriptor: file };
      const unwritable = { do: 'store', from, to: from, encoder } as const;
      await expect(fileThreads.run(unwritable, NO_WATCH)).rejects.toMatchObject({ code: 'repository-failed' });
      const there = { do: 'extract', from, to: from, encoding: 'raw', identities: [] } as const;
      await expect(fileThreads.run(there, NO_WATCH)).rejects.toMatchObject({ code: 'restore-failed' });
    } finally {
      closeSync(directory);
      closeSync(file);
    }
  });
});

describe('the first look at very many files', () => {
  const COUNT = 20_001;
  const name = (n: number) => n.toString(16).padStart(64, '0');

  /** A listing of files of which every third is there. */
  async function listed() {
    const location = join(await temporaryFolder(), 'repo');
    const repo = await initRepository(location, CLUSTER);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    const entries = Array.from({ length: COUNT }, (_, n) => ({
      path: `attachment/${name(n)}`,
      object: name(n),
      size: 1,
    }));
    const ref = await repo.writeListing(entries, writer);
    await writer.close();
    await mkdir(join(location, 'objects', '00'), { recursive: true });
    for (let n = 0; n < COUNT; n += 3) writeFileSync(join(location, objectKey(name(n), 'raw')), '');
    return { location, repo, ref, run: vi.spyOn(fileThreads, 'run') };
  }

  test('is taken in a thread, and tells the same', async () => {
    const { repo, ref, run } = await listed();
    const look = async (files: number) => {
      const all: [string, number | undefined][] = [];
      await repo.readStored({ ...ref, files }, ({ paths, whole }) =>
        all.push(...paths.map((p, i) => [p, whole[i]] as [string, number])),
      );
      return all;
    };
    const inThread = await look(COUNT);
    expect(run).toHaveBeenCalledTimes(1);
    expect(inThread).toEqual(Array.from({ length: COUNT }, (_, n) => [`attachment/${name(n)}`, n % 3 === 0 ? 1 : 0]));
    expect(await look(1)).toEqual(inThread);
    expect(run).toHaveBeenCalledTimes(1);
  });

  test('ends when it is cancelled, and tells what is damaged', async () => {
    const { location, repo, ref } = await listed();
    const cancelling = new AbortController();
    let groups = 0;
    const onGroup = () => {
      groups++;
      cancelling.abort();
    };
    const looking = repo.readStored(ref, onGroup, { signal: cancelling.signal });
    await expect(looking).rejects.toMatchObject({ code: 'cancelled' });
    expect(groups).toBe(1);
    await rm(join(location, pieceKey(ref.root, 'zstd')));
    await expect(repo.readStored(ref, () => {})).rejects.toMatchObject({ code: 'object-missing' });
  });
});

async function flip(path: string, at: number): Promise<void> {
  await chmod(path, 0o600);
  const handle = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Buffer.from([(byte[0] as number) ^ 1]), 0, 1, at);
  await handle.close();
}

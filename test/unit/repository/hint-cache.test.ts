import { randomBytes } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { initRepository, openHintCache, type FileIdentity, type HintedObject } from '../../../src/repository/index.ts';
import { CLUSTER, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const REPOSITORY = '0'.repeat(32);
const LONG_AGO = new Date('2026-01-01T00:00:00Z');

function identity(i: number): FileIdentity {
  return { dev: 2049n, ino: BigInt(i) * 7n, size: BigInt(i), mtimeNs: 1_767_225_600_000_000_000n + BigInt(i) };
}

/** Raw for even numbers, compressed for odd ones. */
function object(i: number): HintedObject {
  const sha256 = i.toString(16).padStart(64, '0');
  if (i % 2 === 0) return { sha256, encoding: 'raw', storedSize: i, storedSha256: sha256 };
  return { sha256, encoding: 'zstd', storedSize: i * 1_000_003, storedSha256: sha256.replace(/^0/, 'f') };
}

describe('hints', () => {
  test('come back after saving, those that were used or set', async () => {
    const file = join(await temporaryFolder(), 'cache', 'hints');
    const first = await openHintCache(file, REPOSITORY);
    for (let i = 0; i < 20_000; i++) first.set(identity(i), object(i));
    for (let i = 0; i < 20_000; i++) expect(first.get(identity(i))).toEqual(object(i));
    await first.save();
    const second = await openHintCache(file, REPOSITORY);
    for (let i = 0; i < 10_000; i++) expect(second.get(identity(i))).toEqual(object(i));
    second.set(identity(30_000), object(30_000));
    await second.save();
    const third = await openHintCache(file, REPOSITORY);
    expect(third.get(identity(9_999))).toEqual(object(9_999));
    expect(third.get(identity(30_000))).toEqual(object(30_000));
    expect(third.get(identity(10_000))).toBeUndefined();
  });

  test('are of no use once size or time differ; the newest content of an inode counts', async () => {
    const cache = await openHintCache(join(await temporaryFolder(), 'hints'), REPOSITORY);
    const file = identity(5);
    cache.set(file, object(1));
    expect(cache.get({ ...file, size: 6n })).toBeUndefined();
    expect(cache.get({ ...file, mtimeNs: file.mtimeNs + 1n })).toBeUndefined();
    expect(cache.get({ ...file, dev: 1n })).toBeUndefined();
    cache.set({ ...file, mtimeNs: 7n }, object(2));
    expect(cache.get(file)).toBeUndefined();
    expect(cache.get({ ...file, mtimeNs: 7n })).toEqual(object(2));
  });

  test('of another repository, cut or changed ones are forgotten', async () => {
    const file = join(await temporaryFolder(), 'hints');
    const cache = await openHintCache(file, REPOSITORY);
    for (let i = 0; i < 10; i++) cache.set(identity(i), object(i));
    await cache.save();
    const bytes = await readFile(file);
    expect((await openHintCache(file, '1'.repeat(32))).get(identity(3))).toBeUndefined();
    for (let at = 0; at < bytes.length; at += 13) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      for (const damaged of [changed, bytes.subarray(0, at)]) {
        await writeFile(file, damaged);
        expect((await openHintCache(file, REPOSITORY)).get(identity(3))).toBeUndefined();
      }
    }
    await writeFile(file, bytes);
    expect((await openHintCache(file, REPOSITORY)).get(identity(3))).toEqual(object(3));
  });
});

describe('a writer with hints', () => {
  async function setUp() {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const hints = await openHintCache(join(folder, 'hints'), repo.id);
    const bytes = randomBytes(5000);
    const path = await writeTemporary(folder, 'f', bytes);
    await utimes(path, LONG_AGO, LONG_AGO);
    return { folder, repo, hints, bytes, path };
  }

  test('does not read a file again whose content is there', async () => {
    const { repo, hints, path } = await setUp();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', hints });
    const first = await writer.putFile(path);
    await writer.flush();
    let read = 0;
    const second = await writer.putFile(path, { onBytes: (n) => (read += n), expectSha256: first.name });
    expect(second).toEqual({ ...first, isNew: false });
    expect(read).toBe(0);
    await writer.close();
  });

  test('reads it again when the object is gone, cut, or the file has changed', async () => {
    const { folder, repo, hints, bytes, path } = await setUp();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', hints });
    const { name } = await writer.putFile(path);
    await writer.flush();
    const { rm, truncate } = await import('node:fs/promises');
    const stored = join(repo.location, 'objects', name.slice(0, 2), name);
    await truncate(stored, 100);
    expect((await writer.putFile(path)).isNew).toBe(true);
    await writer.flush();
    expect((await readFile(stored)).equals(bytes)).toBe(true);
    await rm(stored);
    expect((await writer.putFile(path)).isNew).toBe(true);
    await writer.flush();
    await writeTemporary(folder, 'f', randomBytes(5000));
    expect((await writer.putFile(path)).name).not.toBe(name);
    await writer.close();
  });

  test('does not trust a file that changed a moment ago', async () => {
    const { folder, repo, hints } = await setUp();
    const path = await writeTemporary(folder, 'fresh', 'first');
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', hints });
    await writer.putFile(path);
    await writer.flush();
    let read = 0;
    await writer.putFile(path, { onBytes: (n) => (read += n) });
    expect(read).toBe(5);
    await writer.close();
  });
});

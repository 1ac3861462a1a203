import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { fileEntry, initRepository, openHintCache } from '../../../src/repository/index.ts';
import { objectKey } from '../../../src/repository/format/names.ts';
import {
  backUp,
  CLUSTER,
  collect,
  memoryRepository,
  nextBackupId,
  temporaryFolder,
  writeTemporary,
} from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

function text(size: number): Buffer {
  return Buffer.from('observable 198.51.100.7 seen in case 42; '.repeat(Math.ceil(size / 40))).subarray(0, size);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('with compression', () => {
  test.each([1000, 100_000, 256 << 10, 3_000_000])(
    '%i bytes that shrink are stored as zstd and come back',
    async (size) => {
      const folder = await temporaryFolder();
      const repo = await initRepository(join(folder, 'repo'), CLUSTER);
      const bytes = text(size);
      const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
      const stored = await writer.putFile(await writeTemporary(folder, 'f', bytes));
      await writer.close();
      const kept = await readFile(join(repo.location, objectKey(sha256(bytes), 'zstd')));
      expect(stored).toEqual({
        name: sha256(bytes),
        sha256: sha256(bytes),
        size,
        encoding: 'zstd',
        storedSize: kept.length,
        storedSha256: sha256(kept),
        isNew: true,
      });
      expect(zstdDecompressSync(kept).equals(bytes)).toBe(true);
      expect(kept.length).toBeLessThan(size / 2);
      expect(writer.totals).toMatchObject({ bytes: size, newBytes: kept.length });
      expect(await repo.extract(stored.name, join(folder, 'out'))).toBe(size);
      expect((await readFile(join(folder, 'out'))).equals(bytes)).toBe(true);
      expect(Buffer.concat(await collect(await repo.readObject(stored.name))).equals(bytes)).toBe(true);
    },
  );

  test.each([100, 100_000, 3_000_000])('%i bytes that do not shrink stay raw', async (size) => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    const stored = await writer.putFile(await writeTemporary(folder, 'f', randomBytes(size)));
    await writer.close();
    expect(stored).toMatchObject({ encoding: 'raw', storedSize: size });
  });

  test('a content that is there is found in either form, and told as it is stored', async () => {
    const { repo } = await memoryRepository();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    const first = await writer.putBytes(text(5000));
    expect(await writer.putBytes(text(5000))).toEqual({ ...first, isNew: false });
    await writer.close();
    const later = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    expect(await later.putBytes(text(5000))).toEqual({ ...first, isNew: false });
    await later.close();
    const raw = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    expect(await raw.putBytes(text(6000))).toMatchObject({ encoding: 'raw', isNew: true });
    await raw.flush();
    const again = repo.objectWriter({ run: nextBackupId(), writer: 'n2', compression: 'auto' });
    expect(await again.putBytes(text(6000))).toMatchObject({ encoding: 'raw', isNew: false });
    await again.close();
    await raw.close();
  });

  test('a hint knows the stored form, so that nothing is read', async () => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const path = await writeTemporary(folder, 'f', text(5000));
    const { utimes } = await import('node:fs/promises');
    await utimes(path, 1_767_225_600, 1_767_225_600);
    const first = repo.objectWriter({
      run: nextBackupId(),
      writer: 'n1',
      compression: 'auto',
      hints: await openHintCache(join(folder, 'hints'), repo.id),
    });
    const stored = await first.putFile(path);
    await first.flush();
    let read = 0;
    expect(await first.putFile(path, { onBytes: (n) => (read += n) })).toEqual({ ...stored, isNew: false });
    expect(read).toBe(0);
    await first.close();
  });

  test('a damaged compressed object is found by verify, not given out, and replaced by the next run', async () => {
    const { repo, backend } = await memoryRepository();
    const files = { a: text(5000), b: text(6000) };
    const backup = await backUp(repo, files, 'auto');
    const key = objectKey(sha256(files.a), 'zstd');
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
    const good = backend.contents.get(key) as Buffer;
    for (const damage of [good.subarray(0, -4), Buffer.from(good).fill(0xff, 20, 24)]) {
      backend.contents.set(key, damage);
      const kind = damage.length === good.length ? 'hash-mismatch' : 'object-truncated';
      const report = await repo.verify({ level: 'data' });
      expect(report.findings).toMatchObject([{ kind, key, backups: [backup.id], hits: [{ paths: ['a'] }] }]);
      const reading = repo.readObject(sha256(files.a)).then((stream) => collect(stream));
      await expect(reading).rejects.toMatchObject({ code: 'object-damaged' });
    }
    backend.contents.set(key, good.subarray(0, -4));
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    expect((await writer.putBytes(files.a)).isNew).toBe(true);
    await writer.close();
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
  });

  test('a cancelled large file leaves nothing', async () => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'repo'), CLUSTER);
    const path = await writeTemporary(folder, 'f', text(8_000_000));
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    const controller = new AbortController();
    const putting = writer.putFile(path, { signal: controller.signal, onBytes: () => controller.abort() });
    await expect(putting).rejects.toMatchObject({ code: 'cancelled' });
    const { readdir } = await import('node:fs/promises');
    expect(await readdir(join(repo.location, 'incoming'), { recursive: true })).not.toContainEqual(
      expect.stringMatching(/-\d+$/),
    );
    await writer.close();
  });

  test('an entry made of it says how it is stored', () => {
    const stored = {
      name: 'ab'.repeat(32),
      sha256: 'ab'.repeat(32),
      size: 9,
      storedSize: 5,
      storedSha256: 'cd'.repeat(32),
      isNew: true,
    };
    expect(fileEntry('p', { ...stored, encoding: 'zstd' }, { mode: 0o600 })).toEqual({
      path: 'p',
      size: 9,
      object: stored.name,
      mode: 0o600,
      stored: { encoding: 'zstd', size: 5, sha256: stored.storedSha256 },
    });
    expect(fileEntry('p', { ...stored, encoding: 'raw' })).not.toHaveProperty('stored');
  });
});

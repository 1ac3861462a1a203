import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/repository/backend/backend.ts';
import { probeBackend } from '../../src/repository/backend/probe.ts';

export interface BackendUnderTest {
  backend: Backend;
  dispose(): Promise<void>;
}

/** What every backend must do; run on each of them. */
export function describeBackend(name: string, make: () => Promise<BackendUnderTest>): void {
  describe(`backend ${name}`, () => {
    let under: BackendUnderTest;
    let backend: Backend;
    beforeEach(async () => {
      under = await make();
      backend = under.backend;
    });
    afterEach(() => under.dispose());

    async function keys(prefix: string): Promise<string[]> {
      const found: string[] = [];
      for await (const { key } of backend.list(prefix)) found.push(key);
      return found.sort();
    }

    async function readAll(key: string, range?: { start: number; end: number }): Promise<Buffer> {
      const chunks: Buffer[] = [];
      for await (const chunk of await backend.read(key, range)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }

    test('passes the probe, which leaves nothing behind', async () => {
      await probeBackend(backend);
      expect(await keys('incoming/')).toEqual([]);
    });

    test('a key is created once; a second put changes nothing', async () => {
      expect(await backend.put('backups/a/m', Buffer.from('one'))).toBe('created');
      expect(await backend.put('backups/a/m', Buffer.from('two'))).toBe('exists');
      expect((await backend.get('backups/a/m')).toString()).toBe('one');
    });

    test('of many puts of one key at once exactly one creates it', async () => {
      const results = await Promise.all(Array.from('abcdefgh', (c) => backend.put('leases/x', Buffer.from(c))));
      expect(results.filter((r) => r === 'created')).toHaveLength(1);
      const winner = 'abcdefgh'[results.indexOf('created')];
      expect((await backend.get('leases/x')).toString()).toBe(winner);
    });

    test('a put that may overwrite replaces the bytes', async () => {
      await backend.put('leases/x', Buffer.from('first and longer'));
      await backend.put('leases/x', Buffer.from('second'), { overwrite: true });
      expect((await backend.get('leases/x')).toString()).toBe('second');
    });

    test.each([0, 1, 100_000, 3_000_000])('%i bytes come back whole and in ranges', async (size) => {
      const bytes = randomBytes(size);
      await backend.put('k/bytes', bytes);
      expect((await backend.get('k/bytes')).equals(bytes)).toBe(true);
      expect((await readAll('k/bytes')).equals(bytes)).toBe(true);
      const range = { start: Math.floor(size / 3), end: Math.floor(size / 2) };
      expect((await backend.get('k/bytes', range)).equals(bytes.subarray(range.start, range.end))).toBe(true);
      if (range.end > range.start) {
        expect((await readAll('k/bytes', range)).equals(bytes.subarray(range.start, range.end))).toBe(true);
      }
    });

    test('an absent key is object-missing for get and read, undefined for sizes, false for delete', async () => {
      await expect(backend.get('no/such')).rejects.toMatchObject({ code: 'object-missing' });
      await expect(backend.read('no/such')).rejects.toMatchObject({ code: 'object-missing' });
      await backend.put('a/b', Buffer.alloc(7));
      expect(await backend.sizes(['no/such', 'a/b', 'a/c'])).toEqual([undefined, 7, undefined]);
      expect(await backend.delete('no/such')).toBe(false);
    });

    test('appended bytes follow each other', async () => {
      await backend.append('runs/r', Buffer.from('a\n'));
      await backend.append('runs/r', Buffer.from('b\n'));
      expect((await backend.get('runs/r')).toString()).toBe('a\nb\n');
    });

    test('list gives all keys below a prefix and only those; deletePrefix removes them', async () => {
      for (const key of ['a/1', 'a/b/2', 'a/b/c/3', 'ab/4']) await backend.put(key, Buffer.from(key));
      expect(await keys('a/')).toEqual(['a/1', 'a/b/2', 'a/b/c/3']);
      expect(await keys('nothing/')).toEqual([]);
      await backend.deletePrefix('a/b/');
      await backend.deletePrefix('nothing/');
      expect(await keys('a/')).toEqual(['a/1']);
      expect(await keys('ab/')).toEqual(['ab/4']);
      expect(await backend.delete('a/1')).toBe(true);
      expect(await keys('a/')).toEqual([]);
    });

    test('a batch publishes what was added, only when it is flushed', async () => {
      const batch = backend.openBatch('incoming/r/w/');
      const streamed = await batch.stage();
      await streamed.write(Buffer.from('hello '));
      await streamed.write(Buffer.from('world'));
      await streamed.end();
      expect(streamed.size).toBe(11);
      batch.add(streamed, 'objects/aa/1', 'replace');
      batch.add(await batch.stageBytes(Buffer.from('small')), 'objects/bb/2', 'replace');
      expect(await backend.sizes(['objects/aa/1', 'objects/bb/2'])).toEqual([undefined, undefined]);
      expect([...(await batch.flush())]).toEqual([]);
      expect((await backend.get('objects/aa/1')).toString()).toBe('hello world');
      expect((await backend.get('objects/bb/2')).toString()).toBe('small');
      expect(await keys('incoming/')).toEqual([]);
      await batch.close();
    });

    test('of two batches that publish one key the later one is told that it existed', async () => {
      const [first, second] = [backend.openBatch('incoming/r/1/'), backend.openBatch('incoming/r/2/')];
      for (const batch of [first, second])
        batch.add(await batch.stageBytes(Buffer.from('same')), 'objects/aa/1', 'fail');
      expect([...(await first.flush())]).toEqual([]);
      expect([...(await second.flush())]).toEqual(['objects/aa/1']);
      await first.close();
      await second.close();
      expect(await keys('')).toEqual(['objects/aa/1']);
    });

    test('a key with another size is replaced only when it may be', async () => {
      await backend.put('objects/aa/1', Buffer.from('cut'));
      const batch = backend.openBatch('incoming/r/w/');
      batch.add(await batch.stageBytes(Buffer.from('whole')), 'objects/aa/1', 'fail');
      await expect(batch.flush()).rejects.toMatchObject({ code: 'repository-failed' });
      expect((await backend.get('objects/aa/1')).toString()).toBe('cut');
      batch.add(await batch.stageBytes(Buffer.from('whole')), 'objects/aa/1', 'replace');
      await batch.flush();
      expect((await backend.get('objects/aa/1')).toString()).toBe('whole');
      await batch.close();
    });

    test('what is discarded or left when a batch closes is neither published nor kept', async () => {
      const batch = backend.openBatch('incoming/r/w/');
      const dropped = await batch.stage();
      await dropped.write(Buffer.from('half'));
      await dropped.discard();
      await dropped.discard();
      batch.add(await batch.stageBytes(Buffer.from('added')), 'objects/aa/1', 'fail');
      await batch.close();
      expect(await keys('')).toEqual([]);
    });
  });
}

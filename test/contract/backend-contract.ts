import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/repository/backend/backend.ts';
import { probeBackend } from '../../src/repository/backend/probe.ts';

export interface BackendUnderTest {
  backend: Backend;
  /** Another instance for the same place, as another process has it. */
  another(): Backend;
  /** What is kept beside the keys, such as uploads that never ended. */
  leftovers(): Promise<string[]>;
  /** Resolves when `parts` parts of an upload are there: one that is on its way outlives the end of its upload. */
  partsArrive(parts: number): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * What every backend must do; run on each of them. Storage on which a key appears whole and durable at once may publish a
 * content when it is added, before the flush.
 */
export function describeBackend(
  name: string,
  make: () => Promise<BackendUnderTest>,
  o: { publishes: 'when flushed' | 'when added'; many?: number } = { publishes: 'when flushed' },
): void {
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

    function hash(n: number): string {
      return createHash('sha256').update(String(n)).digest('hex');
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

    test('names gives those directly below a prefix, with their sizes or without any', async () => {
      for (const key of ['a/1', 'a/22', 'a/b/3', 'ab/4']) await backend.put(key, Buffer.from(key));
      const names = await backend.names('a/');
      expect([...names.keys()].sort()).toEqual(['1', '22']);
      expect([
        [3, 4],
        [undefined, undefined],
      ]).toContainEqual([names.get('1'), names.get('22')]);
      expect((await backend.names('nothing/')).size).toBe(0);
    });

    test('a mark, where there are any, stays until a name comes or goes', async () => {
      const markOf = async () => (await backend.marks?.(['a/']))?.[0];
      /** Right after a change there is none. */
      const settled = async () => {
        let mark: string | undefined;
        if (backend.marks !== undefined) await expect.poll(async () => (mark = await markOf())).toBeDefined();
        return mark;
      };
      for (const key of ['a/1', 'a/2', 'b/1']) await backend.put(key, Buffer.from(key));
      const first = await settled();
      await backend.put('b/2', Buffer.from('elsewhere'));
      expect(await markOf()).toBe(first);
      if (first === undefined) return;
      await backend.delete('a/1');
      expect(await markOf()).not.toBe(first);
      const second = await settled();
      await backend.put('a/1', Buffer.from('a/1'));
      expect(await markOf()).not.toBe(second);
      expect([first, second]).not.toContain(await settled());
      expect(await backend.marks?.(['nothing/', 'b/'])).toEqual([undefined, expect.any(String)]);
    });

    test('a batch publishes what was added when it is flushed, not when it is staged', async () => {
      const batch = backend.openBatch('incoming/r/w/');
      const streamed = await batch.stage();
      await streamed.write(Buffer.from('hello '));
      await streamed.write(Buffer.from('world'));
      await streamed.end();
      expect(streamed.size).toBe(11);
      const small = await batch.stageBytes(Buffer.from('small'));
      expect(await backend.sizes(['objects/aa/1', 'objects/bb/2'])).toEqual([undefined, undefined]);
      batch.add(streamed, 'objects/aa/1', 'replace');
      batch.add(small, 'objects/bb/2', 'replace');
      if (o.publishes === 'when flushed') {
        expect(await backend.sizes(['objects/aa/1', 'objects/bb/2'])).toEqual([undefined, undefined]);
      }
      expect([...(await batch.flush())]).toEqual([]);
      expect((await backend.get('objects/aa/1')).toString()).toBe('hello world');
      expect((await backend.get('objects/bb/2')).toString()).toBe('small');
      expect(await keys('incoming/')).toEqual([]);
      await batch.close();
    });

    test('of two batches that publish one key the later one is told that it existed', async () => {
      const [first, second] = [backend.openBatch('incoming/r/1/'), backend.openBatch('incoming/r/2/')];
      first.add(await first.stageBytes(Buffer.from('same')), 'objects/aa/1', 'fail');
      expect([...(await first.flush())]).toEqual([]);
      second.add(await second.stageBytes(Buffer.from('same')), 'objects/aa/1', 'fail');
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

    test.each([1000, 9_000_000])(
      'a key of %i bytes that is renewed has the new bytes, and the old are kept',
      async (size) => {
        const [damaged, whole] = [randomBytes(size), randomBytes(size)];
        const key = 'objects/aa/1';
        await backend.put(key, damaged);
        const batch = backend.openBatch('incoming/r/w/');
        for (const [policy, existed, bytes] of [
          ['replace', [key], damaged],
          ['renew', [], whole],
        ] as const) {
          const staged = await batch.stage({ key, size });
          await staged.write(whole);
          await staged.end();
          batch.add(staged, key, policy);
          expect([...(await batch.flush())]).toEqual(existed);
          expect((await backend.get(key)).equals(bytes)).toBe(true);
        }
        const kept = await keys('damaged/');
        expect(kept).toHaveLength(1);
        expect((await backend.get(kept[0] as string)).equals(damaged)).toBe(true);
        batch.add(await batch.stageBytes(whole), 'objects/aa/2', 'renew');
        expect([...(await batch.flush())]).toEqual([]);
        expect((await backend.get('objects/aa/2')).equals(whole)).toBe(true);
        await batch.close();
      },
    );

    test('what is discarded or left when a batch closes is neither published nor kept', async () => {
      const batch = backend.openBatch('incoming/r/w/');
      const dropped = await batch.stage();
      await dropped.write(Buffer.from('half'));
      await dropped.discard();
      await dropped.discard();
      const added = await batch.stageBytes(Buffer.from('added'));
      if (o.publishes === 'when flushed') batch.add(added, 'objects/aa/1', 'fail');
      await batch.close();
      expect(await keys('')).toEqual([]);
    });

    test('a large content that is staged for its key is there when it is published, whole', async () => {
      const bytes = randomBytes(20_000_000);
      const key = 'objects/aa/large';
      const batch = backend.openBatch('incoming/r/w/');
      const staged = await batch.stage({ key, size: bytes.length });
      for (let at = 0; at < bytes.length; at += 1_000_000) await staged.write(bytes.subarray(at, at + 1_000_000));
      await staged.end();
      expect(staged.size).toBe(bytes.length);
      expect(await backend.sizes([key])).toEqual([undefined]);
      batch.add(staged, key, 'replace');
      expect([...(await batch.flush())]).toEqual([]);
      expect((await backend.get(key)).equals(bytes)).toBe(true);
      const range = { start: 8_000_000, end: 8_900_000 };
      expect((await readAll(key, range)).equals(bytes.subarray(range.start, range.end))).toBe(true);
      await batch.close();
      expect(await keys('incoming/')).toEqual([]);
    });

    test('a content may become larger than was announced', async () => {
      const bytes = randomBytes(9_000_000);
      const batch = backend.openBatch('incoming/r/w/');
      const staged = await batch.stage({ key: 'objects/aa/1', size: 1000 });
      for (let at = 0; at < bytes.length; at += 700_000) await staged.write(bytes.subarray(at, at + 700_000));
      await staged.end();
      batch.add(staged, 'objects/aa/1', 'replace');
      await batch.flush();
      expect((await backend.get('objects/aa/1')).equals(bytes)).toBe(true);
      await batch.close();
    });

    test.each([1000, 9_000_000])(
      'of writers that publish a key of %i bytes at once all but one are told',
      async (size) => {
        const bytes = randomBytes(size);
        const key = 'objects/aa/1';
        const batches = ['1', '2', '3', '4'].map((w) => under.another().openBatch(`incoming/r/${w}/`));
        const existed = await Promise.all(
          batches.map(async (batch) => {
            const staged = await batch.stage({ key, size });
            await staged.write(bytes);
            await staged.end();
            batch.add(staged, key, 'fail');
            return [...(await batch.flush())];
          }),
        );
        expect(existed.filter((keys) => keys.length === 0)).toHaveLength(1);
        expect((await backend.get(key)).equals(bytes)).toBe(true);
        await Promise.all(batches.map((batch) => batch.close()));
        expect(await keys('')).toEqual([key]);
      },
    );

    test('what a writer had begun when it died is removed with its place', async () => {
      const batch = under.another().openBatch('incoming/dead/w/');
      const staged = await batch.stage({ key: 'objects/aa/1', size: 20_000_000 });
      for (let n = 0; n < 20; n++) await staged.write(randomBytes(1_000_000));
      await under.partsArrive(2);
      expect(await keys('incoming/dead/')).not.toEqual([]);
      await backend.deletePrefix('incoming/dead/');
      expect(await keys('')).toEqual([]);
      expect(await under.leftovers()).toEqual([]);
    });

    test('many keys are listed, sized and deleted: all of them, and no others', async () => {
      const wanted = Array.from({ length: o.many ?? 1100 }, (_, i) => `objects/${hash(i).slice(0, 2)}/${hash(i)}`);
      const batch = backend.openBatch('incoming/r/w/');
      for (const [i, key] of wanted.entries()) batch.add(await batch.stageBytes(Buffer.alloc(i % 7)), key, 'fail');
      await batch.flush();
      await batch.close();
      expect(await keys('objects/')).toEqual(wanted.toSorted());
      const absent = Array.from({ length: 300 }, (_, i) => `objects/${hash(-1 - i).slice(0, 2)}/${hash(-1 - i)}`);
      const asked = [...wanted, ...absent].sort().reverse();
      const sizes = await backend.sizes(asked);
      const expected = new Map(wanted.map((key, i) => [key, i % 7]));
      expect(sizes).toEqual(asked.map((key) => expected.get(key)));
      await backend.deleteMany([...wanted.slice(1), 'objects/no/such']);
      expect(await keys('objects/')).toEqual(wanted.slice(0, 1));
      // A thousand requests to a real server on a machine that does other things too.
    }, 300_000);

    test('a key that was deleted can be created again', async () => {
      await backend.put('objects/aa/1', Buffer.from('one'));
      await backend.deleteMany(['objects/aa/1']);
      expect(await backend.put('objects/aa/1', Buffer.from('two'))).toBe('created');
      expect((await backend.get('objects/aa/1')).toString()).toBe('two');
    });
  });
}

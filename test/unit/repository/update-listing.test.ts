import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { objectKey, pieceKey } from '../../../src/repository/format/names.ts';
import { compareBytewise } from '../../../src/repository/format/order.ts';
import type { FileEntry, ListingChange, ListingEntry, ListingRef, Repository } from '../../../src/repository/index.ts';
import { noteDamage } from '../../../src/repository/damage/notes.ts';
import { collect, memoryRepository, nextBackupId, publishPart, wholePaths } from './support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Few contents, so that files share objects; each is stored in one form. */
const CONTENTS = 40;
const FILES = 600;

function entry(path: number, content: number): FileEntry {
  const object = createHash('sha256').update(`content ${content}`).digest('hex');
  const file = { path: pathOf(path), object, size: content + 1, mtimeMs: 1_767_225_600_000 };
  return content % 3 === 0 ? { ...file, stored: { encoding: 'zstd', size: content, sha256: object } } : file;
}

/** Long ones of any script, so that few lines make a piece. */
function pathOf(n: number): string {
  const name = createHash('sha256').update(`path ${n}`).digest('hex');
  return `${n % 7 === 0 ? '😀' : n % 5 === 0 ? '豈' : 'attachment'}/${name}/x${'x'.repeat((n * 37) % 1500)}`;
}

/** Some changes at random, or a run of neighbours (indices in the order of paths) that go or come together. */
const single = fc.record({ at: fc.nat(FILES - 1), content: fc.option(fc.nat(CONTENTS - 1)) });
const run = fc.record({ from: fc.nat(FILES - 1), length: fc.nat(60), content: fc.option(fc.nat(CONTENTS - 1)) });
const edits = fc.record({ singles: fc.array(single, { maxLength: 12 }), runs: fc.array(run, { maxLength: 1 }) });

const ORDER = Array.from({ length: FILES }, (_, n) => n).sort((a, b) => compareBytewise(pathOf(a), pathOf(b)));

function sorted(entries: Iterable<ListingEntry>): ListingEntry[] {
  return [...entries].sort((a, b) => compareBytewise(a.path, b.path));
}

async function withWriter(
  repo: Repository,
  write: (writer: ReturnType<Repository['objectWriter']>) => Promise<ListingRef>,
) {
  const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
  const ref = await write(writer);
  await writer.close();
  return ref;
}

describe('a listing that is made from an older one', () => {
  test('is the very listing that would be made anew, and so is its inventory, whatever has changed', async () => {
    const start = fc.uniqueArray(fc.nat(FILES - 1), { minLength: 0, maxLength: FILES, size: 'max' });
    await fc.assert(
      fc.asyncProperty(start, edits, async (there, { singles, runs }) => {
        const { repo } = await memoryRepository();
        const old = new Map(there.map((n) => [pathOf(n), entry(n, n % CONTENTS)]));
        const previous = await withWriter(repo, (w) => repo.writeListing(sorted(old.values()), w));
        const wanted = new Map<string, FileEntry>(old);
        const changes = new Map<string, ListingChange>();
        const change = (n: number, content: number | null) => {
          const path = pathOf(n);
          if (content === null) wanted.delete(path);
          else wanted.set(path, entry(n, content));
          changes.set(path, { path, entry: wanted.get(path) });
        };
        for (const { from, length, content } of runs) {
          for (const n of ORDER.slice(from, from + length)) change(n, content);
        }
        for (const { at, content } of singles) change(at, content);
        const list = [...changes.values()].sort((a, b) => compareBytewise(a.path, b.path));
        const made = await withWriter(repo, (w) => repo.updateListing(previous, list, w));
        expect(await collect(repo.readListing(made))).toEqual(sorted(wanted.values()));
        expect(made).toEqual(await withWriter(repo, (w) => repo.writeListing(sorted(wanted.values()), w)));
      }),
      { numRuns: 60 },
    );
  });

  test('reads and writes only pieces in which something changes, and what is above them', async () => {
    const { repo, backend } = await memoryRepository();
    const all = sorted(Array.from({ length: 20_000 }, (_, n) => entry(n, n)).map(shortPath));
    const previous = await withWriter(repo, (w) => repo.writeListing(all, w));
    const pieces = backend.contents.size;
    const changes = [0, 9_999, 19_999].map((n) => ({ path: all[n]!.path, entry: undefined }));
    const get = vi.spyOn(backend, 'get');
    const sizes = vi.spyOn(backend, 'sizes');
    const made = await withWriter(repo, (w) => repo.updateListing(previous, changes, w));
    expect(made.files).toBe(19_997);
    // Of what goes, the whole older listing must be asked whether another file needs it: each piece once.
    expect(get.mock.calls.length).toBeLessThan(pieces + 40);
    expect(sizes.mock.calls.length).toBeLessThan(60);
    get.mockClear();
    const added = { path: 'attachment/0', entry: { ...entry(1, 7), path: 'attachment/0' } };
    await withWriter(repo, (w) => repo.updateListing(made, [added], w));
    expect(get.mock.calls.length).toBeLessThan(30);
  });

  test('of which a piece is gone fails, and nothing is made of it', async () => {
    const { repo, backend } = await memoryRepository();
    const all = sorted(Array.from({ length: 500 }, (_, n) => entry(n, n)));
    const previous = await withWriter(repo, (w) => repo.writeListing(all, w));
    backend.contents.delete(pieceKey(previous.root, 'zstd'));
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    await expect(repo.updateListing(previous, [], writer)).rejects.toMatchObject({ code: 'object-missing' });
    await writer.abort();
  });

  test('tells which of its files are still stored', async () => {
    const { repo, backend } = await memoryRepository();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    const entries: FileEntry[] = [];
    for (const text of ['one', 'two', 'three', 'four']) {
      const stored = await writer.putBytes(Buffer.from(text));
      entries.push({ path: `attachment/${stored.name}`, object: stored.name, size: stored.size });
    }
    const ref = await repo.writeListing(sorted(entries), writer);
    await writer.close();
    const [gone, cut, kept, noted] = entries as [FileEntry, FileEntry, FileEntry, FileEntry];
    await noteDamage(backend, `objects/${noted.object.slice(0, 2)}/${noted.object}`, {});
    backend.contents.delete(`objects/${gone.object.slice(0, 2)}/${gone.object}`);
    backend.contents.set(`objects/${cut.object.slice(0, 2)}/${cut.object}`, Buffer.from('t'));
    expect(await wholePaths(repo, ref)).toEqual([kept.path]);
  });

  test('is whole, with a word about it, whichever piece of the older inventory is damaged', async () => {
    const { repo, backend } = await memoryRepository();
    const files = sorted(Array.from({ length: 400 }, (_, n) => listed(n)));
    for (const n of files.keys()) backend.contents.set(keyOf(n), Buffer.alloc(n));
    const previous = await withWriter(repo, (w) => repo.writeListing(files, w));
    const inventories = [...backend.contents.keys()].filter(
      (key) => key.startsWith('listings/') && plainOf(backend.contents.get(key)).startsWith('{"skep":"inventory"'),
    );
    expect(inventories.length).toBeGreaterThan(2);
    const changes = [{ path: (files[7] as ListingEntry).path, entry: undefined }];
    const pristine = new Map(backend.contents);
    for (const key of inventories) {
      for (const [k, bytes] of pristine) backend.contents.set(k, Buffer.from(bytes));
      (backend.contents.get(key) as Buffer)[20]! ^= 1;
      const told: string[] = [];
      const onDamage = (why: string) => told.push(why);
      const ref = await withWriter(repo, (w) => repo.updateListing(previous, changes, w, { onDamage }));
      const { id } = await publishPart(repo, nextBackupId(), { ...part(ref) }, { onDamage });
      expect(told).toHaveLength(1);
      expect((await repo.verify({ level: 'structure', ids: [id] })).findings).toEqual([]);
    }
  });
});

function listed(n: number): FileEntry {
  return { path: pathOf(n), object: createHash('sha256').update(`object ${n}`).digest('hex'), size: n };
}

function keyOf(n: number): string {
  return objectKey(listed(n).object, 'raw');
}

function part(ref: ListingRef) {
  return { node: 'n1', store: 'files', ...ref, newBytes: 0 };
}

function plainOf(stored: Buffer | undefined): string {
  return zstdDecompressSync(stored as Buffer).toString();
}

function shortPath(file: FileEntry, n: number): FileEntry {
  return { ...file, path: `attachment/${createHash('sha256').update(String(n)).digest('hex')}` };
}

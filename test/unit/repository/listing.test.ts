import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { InventoryEntry } from '../../../src/repository/format/inventory-entry.ts';
import { readInventory } from '../../../src/repository/listing/listing.ts';
import { compareBytewise } from '../../../src/repository/format/order.ts';
import { type FileEntry, fileEntry, type ListingEntry, type Repository } from '../../../src/repository/index.ts';
import { UNSEALED } from '../../../src/repository/sealing/keyring.ts';
import { collect, memoryRepository, nextBackupId } from './support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** As TheHive's attachments: named by their content. */
function attachment(i: number | string): FileEntry {
  const object = sha256(`content ${i}`);
  return { path: `attachment/${object}`, size: 1000, object, mtimeMs: 1_767_225_600_000, mode: 0o640 };
}

function byPath(a: ListingEntry, b: ListingEntry): number {
  return compareBytewise(a.path, b.path);
}

async function write(repo: Repository, entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>) {
  const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
  const ref = await repo.writeListing(entries, writer);
  await writer.close();
  return ref;
}

const name = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 64, maxLength: 64 });
const part = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((s) => !/[/\0]/.test(s) && s !== '.' && s !== '..' && s.isWellFormed());
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const optional = { mtimeMs: fc.integer({ min: 0 }), mode: fc.integer({ min: 0, max: 0o7777 }) };
const stored = fc.record({ encoding: fc.constant('zstd' as const), size: fc.nat(), sha256: name });
const file = fc.record(
  { path, size: fc.maxSafeNat().map((n) => n % 2 ** 40), object: name, ...optional, stored },
  { requiredKeys: ['path', 'size', 'object'] },
);
const link = fc.record({ path, linkTo: part, mtimeMs: optional.mtimeMs }, { requiredKeys: ['path', 'linkTo'] });
const listing = fc
  .uniqueArray(fc.oneof({ weight: 5, arbitrary: file }, { weight: 1, arbitrary: link }), {
    selector: (entry) => entry.path,
    maxLength: 300,
    size: 'max',
  })
  .map((entries) => (entries as ListingEntry[]).sort(byPath));

describe('a listing', () => {
  test('of a content that was replaced while it was in use is refused, and is no fault in skep', async () => {
    const { repo } = await memoryRepository();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', compression: 'auto' });
    const first = fileEntry('a', await writer.putBytes(Buffer.from('it shrinks '.repeat(200))));
    const second = { ...first, path: 'b', stored: { ...first.stored!, size: first.stored!.size + 1 } };
    await expect(repo.writeListing([first, second], writer)).rejects.toMatchObject({ code: 'repository-failed' });
    await writer.abort();
  });

  test('comes back as it was written, whatever its entries', async () => {
    await fc.assert(
      fc.asyncProperty(listing, async (entries) => {
        const { repo } = await memoryRepository();
        const ref = await write(repo, entries);
        expect(await collect(repo.readListing(ref))).toEqual(entries);
        const files = entries.filter((entry) => entry.linkTo === undefined);
        expect(ref.files).toBe(files.length);
        expect(ref.bytes).toBe(files.reduce((sum, entry) => sum + entry.size, 0));
      }),
      { numRuns: 60 },
    );
  });

  test('has an inventory with every object once, sorted, as it is stored', async () => {
    await fc.assert(
      fc.asyncProperty(listing, async (entries) => {
        const { repo, backend } = await memoryRepository();
        const distinct = new Map<string, InventoryEntry>();
        const consistent = entries.filter((entry) => {
          if (entry.linkTo !== undefined) return true;
          const { object: name, stored: zstd, size } = entry;
          const key = zstd === undefined ? name : `${name}.zst`;
          if (distinct.has(key)) return false;
          const encoding = zstd?.encoding ?? 'raw';
          const form = { storedSize: zstd?.size ?? size, storedSha256: zstd?.sha256 ?? name };
          distinct.set(key, { kind: 'object', name, encoding, ...form });
          return true;
        });
        const ref = await write(repo, consistent);
        const wanted = [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
        expect(await collect(readInventory({ backend, keyring: UNSEALED }, ref.inventory))).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  test('of nothing has a root', async () => {
    const { repo } = await memoryRepository();
    const ref = await write(repo, []);
    expect(await collect(repo.readListing(ref))).toEqual([]);
    expect(ref).toMatchObject({ files: 0, bytes: 0 });
  });

  test('has the same root for the same entries, another one for any change', async () => {
    const { repo } = await memoryRepository();
    const entries = Array.from({ length: 500 }, (_, i) => attachment(i)).sort(byPath);
    const ref = await write(repo, entries);
    expect(await write(repo, entries)).toEqual(ref);
    const changed = entries.map((entry, i) => (i === 250 ? { ...entry, size: 1001 } : entry));
    expect((await write(repo, changed)).root).not.toBe(ref.root);
  });

  test('with paths of 4,096 bytes becomes a tree all the same', async () => {
    const { repo } = await memoryRepository();
    const entries = Array.from({ length: 60 }, (_, i) => {
      const long = `${'\u0001'.repeat(4000)}/${String(i).padStart(4, '0')}`;
      return { path: long, size: i, object: sha256(String(i)) };
    });
    const ref = await write(repo, entries);
    expect(await collect(repo.readListing(ref))).toEqual(entries);
  });

  test.each([
    ['unsorted', [attachment('b'), attachment('a')].sort((a, b) => byPath(b, a))],
    ['twice the same path', [attachment('a'), attachment('a')]],
    ['an absolute path', [{ ...attachment('a'), path: '/etc/passwd' }]],
    ['a path that climbs', [{ ...attachment('a'), path: 'a/../../b' }]],
    ['a path that is not UTF-8', [{ ...attachment('a'), path: 'a\ud800' }]],
    ['a name that is no hash', [{ ...attachment('a'), object: 'abc' }]],
    ['a negative size', [{ ...attachment('a'), size: -1 }]],
  ])('refuses %s', async (_, entries) => {
    const { repo } = await memoryRepository();
    await expect(write(repo, entries)).rejects.toMatchObject({ code: 'internal' });
  });

  test('that cannot be written to its end fails with the reason', async () => {
    const { repo, backend } = await memoryRepository();
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    vi.spyOn(backend, 'sizes').mockRejectedValue(new SkepError('no-space', 'full'));
    const entries = Array.from({ length: 5000 }, (_, i) => attachment(i)).sort(byPath);
    await expect(repo.writeListing(entries, writer)).rejects.toMatchObject({ code: 'no-space' });
    await writer.abort();
  });
});

describe('a listing of 100,000 attachments', () => {
  test('with 100 changes writes about 100 pieces and what is above them', async () => {
    const { repo, backend } = await memoryRepository();
    const entries = Array.from({ length: 100_000 }, (_, i) => attachment(i)).sort(byPath);
    const first = await write(repo, entries);
    const before = new Map(backend.contents);
    const leaves = await pieceSizes(backend.contents);
    expect(leaves.filter((size) => size < 8 << 10)).toHaveLength(leaves.length < 4 ? leaves.length : 0);
    expect(Math.max(...leaves)).toBeLessThan(17 << 10);

    const changed = entries.filter((_, i) => i % 2000 !== 77);
    for (let i = 0; i < 50; i++) changed.push(attachment(`new ${i}`));
    changed.sort(byPath);
    const second = await write(repo, changed);
    expect(await collect(repo.readListing(second))).toEqual(changed);
    expect(await collect(repo.readListing(first))).toHaveLength(100_000);

    const added = [...backend.contents].filter(([key]) => !before.has(key));
    const bytes = added.reduce((sum, [, piece]) => sum + piece.length, 0);
    // Two trees (listing and inventory), each with its changed leaves, their parents and the root.
    expect(added.length).toBeLessThan(2 * 160 + 60);
    expect(bytes).toBeLessThan(2 << 20);
  });

  /** Plain sizes of all leaves but the last of each tree, which may be small. */
  async function pieceSizes(contents: ReadonlyMap<string, Buffer>): Promise<number[]> {
    const { zstdDecompressSync } = await import('node:zlib');
    const leaves = [...contents].filter(([key]) => key.startsWith('listings/')).map(([, b]) => zstdDecompressSync(b));
    const sizes = leaves.filter((plain) => plain.includes('"level":0}\n')).map((plain) => plain.length);
    return sizes.sort((a, b) => a - b).slice(2);
  }

  test('is written and read with flat memory', async () => {
    const { repo, backend } = await memoryRepository();
    // What is stored must not count: only the pieces of the two roots are kept readable.
    const held = (): number => {
      globalThis.gc?.();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external - [...backend.contents.values()].reduce((sum, b) => sum + b.length, 0);
    };
    const start = held();
    let peak = 0;
    function* many(): Generator<FileEntry> {
      for (let i = 0; i < 100_000; i++) {
        if (i % 20_000 === 19_999) peak = Math.max(peak, held());
        const object = sha256(String(i));
        yield { path: `attachment/${String(i).padStart(64, '0')}`, size: i, object };
      }
    }
    const ref = await write(repo, many());
    let read = 0;
    for await (const entry of repo.readListing(ref)) {
      read += entry.path.length > 0 ? 1 : 0;
      if (read % 20_000 === 0) peak = Math.max(peak, held());
    }
    expect(read).toBe(100_000);
    // 71 bytes an object are kept for the inventory; the entries themselves are 40 MB.
    expect(peak - start).toBeLessThan(globalThis.gc === undefined ? 60e6 : 20e6);
  });
});

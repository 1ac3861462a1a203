import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { decodeDescriptor, encodeDescriptor, type Descriptor } from '../../../src/repository/format/descriptor.ts';
import { decodeInventoryEntry } from '../../../src/repository/format/inventory-entry.ts';
import { decodeListingEntry, isSafePath } from '../../../src/repository/format/listing-entry.ts';
import { decodeManifest, encodeManifest } from '../../../src/repository/format/manifest-codec.ts';
import type { Manifest } from '../../../src/repository/format/manifest.ts';
import { BACKUP_ID_PATTERN, newBackupId } from '../../../src/repository/format/names.ts';
import { ObjectTable } from '../../../src/repository/format/object-table.ts';
import { compareBytewise } from '../../../src/repository/format/order.ts';
import { compressPiece, encodePiece, openPiece, pieceHash } from '../../../src/repository/format/piece.ts';

vi.setConfig({ testTimeout: 60_000 });

const ID = '20260101T000000Z-0123456789ab';
const NAME = 'ab'.repeat(32);

const manifest: Manifest = {
  format: 1,
  id: ID,
  state: 'complete',
  repository: 'r',
  cluster: { name: 'prod', id: 'c-1' },
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: '2026-01-01T00:10:00.000Z',
  consistency: 'cut',
  cutMicros: '1767225600000001',
  parts: [{ node: 'n1', store: 'files', root: NAME, inventory: NAME, files: 1, bytes: 2, newBytes: 2 }],
  leave: [{ file: 'restore.sh', bytes: 3, sha256: NAME }],
  details: { schema: 'CREATE TABLE "ü"', tokens: [1, 2] },
};

/** Whatever it is given, it answers or throws a SkepError: never another error, never a hang. */
function onlyTypedErrors(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(SkepError);
  }
}

/** As who forges a manifest makes it: with the right checksum. */
function resealed(forged: Manifest): Buffer {
  const text = JSON.stringify(forged).slice(0, -1);
  return Buffer.from(`${text},"sha256":"${pieceHash(Buffer.from(text))}"}\n`);
}

describe('a manifest', () => {
  test('comes back as it was', () => {
    expect(decodeManifest(encodeManifest(manifest), ID)).toEqual(manifest);
  });

  test('can be checked with a shell: the checksum is of all bytes before it', async () => {
    const { execFileSync } = await import('node:child_process');
    const script = `tee /dev/fd/3 3>&1 >/dev/null | head -c -78 | sha256sum | cut -d' ' -f1`;
    const sum = execFileSync('bash', ['-c', script], { input: encodeManifest(manifest) })
      .toString()
      .trim();
    expect(JSON.parse(encodeManifest(manifest).toString()).sha256).toBe(sum);
  });

  test('with any byte changed is torn', () => {
    const bytes = encodeManifest(manifest);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= mask;
        expect(() => decodeManifest(changed, ID)).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
      }),
    );
  });

  test('cut anywhere is torn', () => {
    const bytes = encodeManifest(manifest);
    for (let length = 0; length < bytes.length; length++) {
      const cut = (): unknown => decodeManifest(bytes.subarray(0, length), ID);
      expect(cut).toThrow(expect.objectContaining({ context: { backup: ID, finding: 'manifest-torn' } }));
    }
  });

  test('of another backup is torn', () => {
    const other = '20260101T000000Z-ffffffffffff';
    expect(() => decodeManifest(encodeManifest(manifest), other)).toThrow('it is the manifest of');
  });

  test('of a later format is unsupported', () => {
    const text = encodeManifest(manifest).toString().slice(0, -78).replace('"format":1', '"format":2');
    const changed = Buffer.from(`${text},"sha256":"${pieceHash(Buffer.from(text))}"}\n`);
    expect(() => decodeManifest(changed, ID)).toThrow(
      expect.objectContaining({
        code: 'manifest-unsupported',
        context: { backup: ID, finding: 'manifest-unsupported' },
      }),
    );
  });

  test.each(['', '.', '..', '../x', 'a/b', '/etc', 'a\0'])('of a node or a store that is called %j is torn', (name) => {
    const [part] = manifest.parts as [Manifest['parts'][number]];
    for (const other of [{ node: name }, { store: name }]) {
      const forged = resealed({ ...manifest, parts: [{ ...part, ...other }] });
      expect(() => decodeManifest(forged, ID)).toThrow(
        expect.objectContaining({ code: 'manifest-damaged', context: { backup: ID, finding: 'manifest-torn' } }),
      );
    }
  });

  test('with two parts of one node and store is torn', () => {
    const [part] = manifest.parts as [Manifest['parts'][number]];
    expect(() => decodeManifest(resealed({ ...manifest, parts: [part, part] }), ID)).toThrow('one node and store');
    const others = { ...manifest, parts: [part, { ...part, node: 'n2' }, { ...part, store: 'config' }] };
    expect(decodeManifest(resealed(others), ID)).toEqual(others);
  });

  test('must tell a cut time for a cut and a length for a window', () => {
    const { cutMicros: _, ...rest } = manifest;
    expect(() => encodeManifest(rest as Manifest)).toThrow(SkepError);
    expect(() => encodeManifest({ ...rest, consistency: 'window' })).toThrow(SkepError);
    expect(() => encodeManifest({ ...rest, consistency: 'window', windowMs: 6700 })).not.toThrow();
  });

  test('made of anything is a typed error', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const body = Buffer.from(json.slice(0, -1));
        onlyTypedErrors(() => decodeManifest(Buffer.from(json), ID));
        onlyTypedErrors(() => decodeManifest(Buffer.from(`${body.toString()},"sha256":"${pieceHash(body)}"}\n`), ID));
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => onlyTypedErrors(() => decodeManifest(Buffer.from(bytes), ID))));
  });
});

describe('a piece', () => {
  const plain = encodePiece('listing', 0, ['{"p":"a","s":1}', '{"p":"b","s":2}']);
  const stored = compressPiece(plain);
  const expected = { name: pieceHash(plain), kind: 'listing' } as const;

  test('comes back as it was', () => {
    const lines = [
      { p: 'a', s: 1 },
      { p: 'b', s: 2 },
    ];
    expect(openPiece(stored, expected)).toEqual({ kind: 'listing', level: 0, lines });
  });

  test('of another kind or level is refused', () => {
    expect(() => openPiece(stored, { ...expected, kind: 'inventory' })).toThrow(SkepError);
    expect(() => openPiece(stored, { ...expected, level: 1 })).toThrow(SkepError);
  });

  test('with a changed or missing byte is damaged, or has the same content', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: stored.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, mask, cut) => {
          const changed = cut ? stored.subarray(0, at) : Buffer.from(stored);
          if (!cut) changed[at]! ^= mask;
          let opened: unknown;
          onlyTypedErrors(() => (opened = openPiece(changed, expected)));
          if (opened !== undefined) expect(opened).toEqual(openPiece(stored, expected));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('made of anything, its hash being right, is a typed error or a piece', () => {
    const line = fc.oneof(fc.json(), fc.string(), fc.constant('{"skep":"listing","level":1}'), fc.constant('{"c":1}'));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const bytes = Buffer.from(lines.join('\n'));
        for (const kind of ['listing', 'inventory'] as const) {
          onlyTypedErrors(() => openPiece(zstdCompressSync(bytes), { name: pieceHash(bytes), kind }));
        }
      }),
    );
  });

  test('that would fill the memory is refused', () => {
    const bomb = Buffer.alloc(64 << 20, ' ');
    const opening = (): unknown => openPiece(zstdCompressSync(bomb), { name: pieceHash(bomb), kind: 'listing' });
    expect(opening).toThrow(expect.objectContaining({ code: 'object-damaged' }));
  });
});

describe('entries', () => {
  test('made of anything are an entry or undefined', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        decodeListingEntry(value);
        decodeInventoryEntry(value);
      }),
    );
    for (const p of ['', '/a', 'a/', 'a//b', '..', 'a/../b', './a', 'a\0']) {
      expect(isSafePath(p)).toBe(false);
      expect(decodeListingEntry({ p, s: 1, o: NAME })).toBeUndefined();
    }
    expect(decodeListingEntry({ p: 'a', s: 1, o: NAME, extra: 1 })).toBeUndefined();
  });
});

describe('skep.json', () => {
  const descriptor: Descriptor = {
    format: 1,
    id: '0'.repeat(32),
    createdAt: '2026-01-01T00:00:00.000Z',
    cluster: { name: 'prod', id: 'c-1' },
    features: [],
  };

  test('comes back as it was', () => {
    expect(decodeDescriptor(encodeDescriptor(descriptor))).toEqual(descriptor);
  });

  test.each([
    ['a later format', { ...descriptor, format: 2, cluster: 'elsewhere' }],
    ['a feature that is not known', { ...descriptor, features: ['striped'] }],
  ])('of %s is unsupported', (_, json) => {
    const decode = (): unknown => decodeDescriptor(Buffer.from(JSON.stringify(json)));
    expect(decode).toThrow(expect.objectContaining({ code: 'repository-unsupported' }));
  });

  test('with a flipped bit is refused, or says the same', () => {
    const bytes = encodeDescriptor({ ...descriptor, features: ['sealed'] });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      let read: unknown;
      try {
        read = decodeDescriptor(flipped);
      } catch (error) {
        expect((error as SkepError).code).toMatch(/^repository-(damaged|unsupported)$/);
        continue;
      }
      expect(read).toEqual({ ...descriptor, features: ['sealed'] });
    }
  });

  test('made of anything is damaged or unsupported', () => {
    fc.assert(fc.property(fc.json(), (json) => onlyTypedErrors(() => decodeDescriptor(Buffer.from(json)))));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => onlyTypedErrors(() => decodeDescriptor(bytes))));
  });
});

describe('the table of objects', () => {
  test('sorts by name and gives every row once', () => {
    const some = Array.from({ length: 20_000 }, (_, i) => ({
      kind: 'object' as const,
      name: randomBytes(32).toString('hex'),
      encoding: i % 2 === 0 ? ('raw' as const) : ('zstd' as const),
      storedSize: i * 1_000_003,
      storedSha256: randomBytes(32).toString('hex'),
    }));
    const table = new ObjectTable();
    for (const entry of [...some, ...some.slice(0, 500)]) table.add(entry);
    const sorted = [...some].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect([...table.sorted()]).toEqual(sorted);
    expect([...table.sorted()]).toHaveLength(20_000);
  });
});

describe('ids and order', () => {
  test('an id tells the time, and sorts by it', () => {
    const early = newBackupId(new Date('2026-11-22T22:37:55.123Z'));
    expect(early).toMatch(BACKUP_ID_PATTERN);
    expect(early.startsWith('20261122T223755Z-')).toBe(true);
    expect(early < newBackupId(new Date('2026-11-22T22:37:56Z'))).toBe(true);
  });

  test('paths are ordered as their bytes in UTF-8', () => {
    const point = fc.oneof(fc.integer({ min: 1, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }));
    const text = fc.array(point, { maxLength: 6 }).map((points) => String.fromCodePoint(...points));
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareBytewise(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});

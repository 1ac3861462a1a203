import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { objectKey, pieceKey } from '../../../src/repository/format/names.ts';
import { encodePiece, compressPiece, pieceHash } from '../../../src/repository/format/piece.ts';
import type { Manifest, Repository, VerifyLevel, VerifyReport } from '../../../src/repository/index.ts';
import { chooser, parseSubset } from '../../../src/repository/verify/subset.ts';
import { backUp, memoryRepository, nextBackupId, publishPart } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const OWNER = { run: 'r', host: 'h', pid: 1 };
const LEVELS: VerifyLevel[] = ['structure', 'presence', 'data'];

function keyOf(content: string): string {
  return objectKey(createHash('sha256').update(content).digest('hex'), 'raw');
}

interface Scene {
  repo: Repository;
  backend: MemoryBackend;
  old: Manifest;
  young: Manifest;
}

/** Two backups that share `same`; `a` and `z` are the old one's alone, `b` the young one's. */
async function scene(): Promise<Scene> {
  const { repo, backend } = await memoryRepository();
  const old = await backUp(repo, { 'a/1': 'only old', 'm/same': 'shared', 'm/again': 'shared', z: 'other' });
  const young = await backUp(repo, { 'b/1': 'only young', 'm/moved': 'shared' });
  return { repo, backend, old, young };
}

function kinds(report: VerifyReport): string[] {
  return report.findings.map((finding) => `${finding.kind} ${finding.key}`);
}

/** At which levels damage is found; the lower ones must be silent. */
async function expectFrom(repo: Repository, from: VerifyLevel, wanted: string[]): Promise<VerifyReport> {
  let report: VerifyReport | undefined;
  for (const level of LEVELS) {
    report = await repo.verify({ level });
    const found = LEVELS.indexOf(level) >= LEVELS.indexOf(from);
    expect({ level, found: kinds(report), ok: report.ok }).toEqual({ level, found: found ? wanted : [], ok: !found });
  }
  return report as VerifyReport;
}

describe('a repository without damage', () => {
  test('verifies at every level, and says how much it looked at', async () => {
    const { repo, old, young } = await scene();
    const report = await repo.verify({ level: 'data' });
    expect(report).toMatchObject({ ok: true, backups: [young.id, old.id], objects: 4, findings: [] });
    expect(report.bytes).toBe('only old'.length + 'shared'.length + 'other'.length + 'only young'.length);
    expect((await repo.verify({ level: 'presence', ids: [young.id] })).objects).toBe(2);
  });

  test('tells its progress up to the end', async () => {
    const { repo } = await scene();
    const seen: number[] = [];
    await repo.verify({ level: 'data', onProgress: (p) => seen.push(p.bytes / p.bytesTotal) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test('an unknown id is refused; a cancelled verify is cancelled', async () => {
    const { repo } = await scene();
    await expect(repo.verify({ level: 'data', ids: [nextBackupId()] })).rejects.toMatchObject({
      code: 'backup-unknown',
    });
    const signal = AbortSignal.abort();
    await expect(repo.verify({ level: 'data', signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('damage to an object', () => {
  test('a missing one is found from level presence on, with every backup and path that needs it', async () => {
    const { repo, backend, old, young } = await scene();
    backend.contents.delete(keyOf('shared'));
    const report = await expectFrom(repo, 'presence', [`object-missing ${keyOf('shared')}`]);
    expect(report.findings[0]).toMatchObject({ backups: [young.id, old.id] });
    expect(report.findings[0]?.hits).toEqual([
      { backup: young.id, node: 'n1', store: 'files', paths: ['m/moved'], pathCount: 1 },
      { backup: old.id, node: 'n1', store: 'files', paths: ['m/again', 'm/same'], pathCount: 2 },
    ]);
  });

  test('one that is cut or has grown is found from level presence on', async () => {
    const { repo, backend, old } = await scene();
    backend.contents.set(keyOf('only old'), Buffer.from('only ol'));
    backend.contents.set(keyOf('other'), Buffer.from('other!'));
    const [cut, grown] = [keyOf('only old'), keyOf('other')];
    const wanted = [`object-truncated ${cut}`, `object-oversized ${grown}`];
    const report = await expectFrom(repo, 'presence', cut < grown ? wanted : wanted.reverse());
    for (const finding of report.findings) expect(finding.backups).toEqual([old.id]);
  });

  test('a flipped bit is found at level data', async () => {
    const { repo, backend, young } = await scene();
    const bytes = backend.contents.get(keyOf('only young')) as Buffer;
    bytes[3]! ^= 0x20;
    const report = await expectFrom(repo, 'data', [`hash-mismatch ${keyOf('only young')}`]);
    expect(report.findings[0]?.backups).toEqual([young.id]);
    expect(report.findings[0]?.hits[0]?.paths).toEqual(['b/1']);
  });

  test('two of one size that were swapped are both named', async () => {
    const { repo, backend } = await memoryRepository();
    await backUp(repo, { a: 'AAAA', b: 'BBBB', c: 'CCCC' });
    const [a, b] = [keyOf('AAAA'), keyOf('BBBB')];
    const bytes = backend.contents.get(a) as Buffer;
    backend.contents.set(a, backend.contents.get(b) as Buffer);
    backend.contents.set(b, bytes);
    await expectFrom(
      repo,
      'data',
      [a, b].sort().map((key) => `hash-mismatch ${key}`),
    );
  });

  test('a backup that does not need it verifies', async () => {
    const { repo, backend, old, young } = await scene();
    backend.contents.delete(keyOf('only old'));
    expect((await repo.verify({ level: 'data', ids: [young.id] })).ok).toBe(true);
    expect((await repo.verify({ level: 'data', ids: [old.id] })).ok).toBe(false);
  });

  test('storage that fails to read one object is a finding, not the end', async () => {
    const { repo, backend } = await scene();
    const get = backend.get.bind(backend);
    backend.get = async (key, range) => {
      if (key === keyOf('other')) throw new Error('EIO');
      return get(key, range);
    };
    await expectFrom(repo, 'data', [`object-unreadable ${keyOf('other')}`]);
  });

  test('of thousands of paths one hundred are named and all are counted', async () => {
    const { repo, backend } = await memoryRepository();
    await backUp(repo, Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, 'same'])));
    backend.contents.delete(keyOf('same'));
    const hit = (await repo.verify({ level: 'presence' })).findings[0]?.hits[0];
    expect(hit).toMatchObject({ pathCount: 2000 });
    expect(hit?.paths).toHaveLength(100);
  });
});

describe('damage to a listing or an inventory', () => {
  async function big(): Promise<Scene & { files: number }> {
    const { repo, backend } = await memoryRepository();
    const files = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, `content ${i}`]));
    const old = await backUp(repo, files);
    const young = await backUp(repo, { ...files, f77: 'changed' });
    return { repo, backend, old, young, files: 500 };
  }

  test.each([
    ['missing', 'listing', 'root', 'listing-missing'],
    ['flipped', 'listing', 'root', 'listing-damaged'],
    ['missing', 'inventory', 'inventory', 'inventory-missing'],
    ['flipped', 'inventory', 'inventory', 'inventory-damaged'],
  ] as const)('a %s root of a %s is found at level structure', async (how, _, member, kind) => {
    const { repo, backend, old } = await big();
    const key = pieceKey(old.parts[0]![member], 'zstd');
    if (how === 'missing') backend.contents.delete(key);
    else (backend.contents.get(key) as Buffer)[20]! ^= 1;
    const report = await expectFrom(repo, 'structure', [`${kind} ${key}`]);
    expect(report.findings[0]?.backups).toEqual([old.id]);
    // The objects are looked at all the same: each is known from one tree or the other.
    expect(report.objects).toBe(501);
  });

  test('a damaged leaf that two backups share hits both', async () => {
    const { repo, backend, old, young } = await big();
    const { zstdDecompressSync } = await import('node:zlib');
    const [key, bytes] = [...backend.contents].find(([piece, stored]) => {
      if (!piece.startsWith('listings/')) return false;
      const plain = zstdDecompressSync(stored).toString();
      return plain.startsWith('{"skep":"listing","level":0}') && !plain.includes('"f77"');
    }) as [string, Buffer];
    bytes[30]! ^= 1;
    const report = await expectFrom(repo, 'structure', [`listing-damaged ${key}`]);
    expect(report.findings[0]?.backups).toEqual([young.id, old.id]);
  });

  test.each(['root', 'inventory'] as const)('a piece (%s) with a byte behind its frame is found', async (member) => {
    const { repo, backend, old } = await scene();
    const key = pieceKey(old.parts[0]![member], 'zstd');
    backend.contents.set(key, Buffer.concat([backend.contents.get(key)!, Buffer.from('x')]));
    const kind = member === 'root' ? 'listing-damaged' : 'inventory-damaged';
    await expectFrom(repo, 'structure', [`${kind} ${key}`]);
    // The next backup of the same files puts the right bytes in its place.
    await backUp(repo, { 'a/1': 'only old', 'm/same': 'shared', 'm/again': 'shared', z: 'other' });
    expect(kinds(await repo.verify({ level: 'data' }))).toEqual([]);
  });

  test('an inventory that lacks an object is found, although every piece is whole', async () => {
    const { repo, backend, old } = await scene();
    const part = old.parts[0]!;
    const plain = encodePiece('inventory', 0, [`{"o":"${keyOf('other').slice(-64)}","s":5}`]);
    backend.contents.set(pieceKey(pieceHash(plain), 'zstd'), compressPiece(plain));
    const forged = await publishPart(repo, nextBackupId(), { ...part, inventory: pieceHash(plain) });
    const report = await repo.verify({ level: 'data' });
    expect(kinds(report)).toEqual([`inventory-damaged ${pieceKey(pieceHash(plain), 'zstd')}`]);
    expect(report.findings[0]?.backups).toEqual([forged.id]);
    backend.contents.delete(keyOf('only old'));
    const missing = await repo.verify({ level: 'presence', ids: [forged.id] });
    expect(kinds(missing)).toContain(`object-missing ${keyOf('only old')}`);
  });

  test('a manifest whose counts are not those of its listing is found', async () => {
    const { repo, old } = await scene();
    const part = old.parts[0]!;
    await publishPart(repo, nextBackupId(), { ...part, bytes: part.bytes + 1 });
    expect(kinds(await repo.verify({ level: 'structure' }))).toEqual([
      `listing-damaged ${pieceKey(part.root, 'zstd')}`,
    ]);
    await publishPart(repo, nextBackupId(), { ...part, files: part.files + 1 });
    expect(kinds(await repo.verify({ level: 'structure' }))).toContain(
      `inventory-damaged ${pieceKey(part.inventory, 'zstd')}`,
    );
  });
});

describe('damage to a manifest', () => {
  const key = (id: string): string => `backups/${id}/manifest.json`;

  test.each([
    ['flipped', (bytes: Buffer) => bytes.fill('x', 40, 41)],
    ['cut', (bytes: Buffer) => bytes.subarray(0, 100)],
    ['emptied', () => Buffer.alloc(0)],
  ])('a %s one is torn at every level, and the other backup verifies', async (_, damage) => {
    const { repo, backend, old, young } = await scene();
    backend.contents.set(key(old.id), damage(Buffer.from(backend.contents.get(key(old.id)) as Buffer)));
    const report = await expectFrom(repo, 'structure', [`manifest-torn ${key(old.id)}`]);
    expect(report.findings[0]?.backups).toEqual([old.id]);
    expect((await repo.verify({ level: 'data', ids: [young.id] })).ok).toBe(true);
    expect(await repo.list()).toMatchObject([
      { id: young.id, state: 'complete' },
      { id: old.id, state: 'damaged', finding: 'manifest-torn' },
    ]);
  });

  test('a missing one is known by its copy, which can take its place', async () => {
    const { repo, backend, old } = await scene();
    backend.contents.delete(key(old.id));
    await expectFrom(repo, 'structure', [`manifest-missing ${key(old.id)}`]);
    await expect(repo.readManifest(old.id)).rejects.toMatchObject({
      code: 'manifest-damaged',
      hint: expect.stringContaining('cp -f') as string,
    });
    const copy = backend.contents.get(`backups/${old.id}/manifest.copy.json`) as Buffer;
    backend.contents.set(key(old.id), copy);
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
  });

  test('a damaged copy is found too', async () => {
    const { repo, backend, old } = await scene();
    (backend.contents.get(`backups/${old.id}/manifest.copy.json`) as Buffer)[50]! ^= 1;
    const report = await expectFrom(repo, 'structure', [`manifest-copy-damaged backups/${old.id}/manifest.copy.json`]);
    expect(report.findings[0]?.backups).toEqual([old.id]);
    expect((await repo.readManifest(old.id)).id).toBe(old.id);
  });

  test('one that is lost with its copy is found, and what it needs is kept until it is forgotten', async () => {
    const { repo, backend, old, young } = await scene();
    for (const file of ['manifest.json', 'manifest.copy.json', 'RESTORE.md', 'restore.sh']) {
      backend.contents.delete(`backups/${old.id}/${file}`);
    }
    const report = await expectFrom(repo, 'structure', [`manifest-missing ${key(old.id)}`]);
    expect(report.findings[0]).toMatchObject({
      backups: [old.id],
      hint: expect.stringContaining('skep forget') as string,
    });
    expect(await repo.list()).toMatchObject([
      { id: young.id, state: 'complete' },
      { id: old.id, state: 'damaged', finding: 'manifest-missing' },
    ]);
    for (const dryRun of [true, false]) {
      await expect(repo.prune({ owner: OWNER, dryRun })).rejects.toMatchObject({
        code: 'damage-found',
        hint: expect.stringContaining(`skep forget ${old.id}`) as string,
      });
    }
    expect(backend.contents.has(keyOf('only old'))).toBe(true);
    expect((await repo.forget({ owner: OWNER, ids: [old.id], minimum: 1 })).forgotten).toEqual([old.id]);
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
    expect((await repo.prune({ owner: OWNER })).objects).toBe(2);
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
  });

  test('a forget that ends at any step leaves no damage', async () => {
    const { repo, backend, old } = await scene();
    const remove = backend.delete.bind(backend);
    const { SkepError } = await import('../../../src/errors.ts');
    for (let steps = 0; ; steps++) {
      let left = steps;
      backend.delete = async (k) => {
        if (!k.startsWith('leases/') && left-- <= 0) throw new SkepError('repository-failed', 'gone away');
        return remove(k);
      };
      const ended = await repo.forget({ owner: OWNER, ids: [old.id], minimum: 1 }).catch((error: unknown) => error);
      backend.delete = remove;
      if (!(ended instanceof Error)) break;
      expect((await repo.verify({ level: 'data' })).findings).toEqual([]);
      if ((await repo.list()).length === 1) break;
    }
    expect((await repo.list()).map(({ id }) => id)).not.toContain(old.id);
  });

  test('a missing copy is found, and written by the next prune', async () => {
    const { repo, backend, old } = await scene();
    backend.contents.delete(`backups/${old.id}/manifest.copy.json`);
    const report = await expectFrom(repo, 'structure', [`manifest-copy-missing backups/${old.id}/manifest.copy.json`]);
    expect(report.findings[0]?.hint).toContain('skep prune');
    // A repository of an older version has no such notes.
    backend.contents.delete(`published/${old.id}`);
    await repo.prune({ owner: OWNER });
    expect((await repo.verify({ level: 'data' })).ok).toBe(true);
    expect(backend.contents.has(`published/${old.id}`)).toBe(true);
  });

  test('a finding tells that the copy can take its place', async () => {
    const { repo, backend, old } = await scene();
    backend.contents.set(key(old.id), Buffer.from('x'));
    expect((await repo.verify({ level: 'structure' })).findings[0]?.hint).toContain('cp -f');
  });
});

describe('beside others', () => {
  test('it holds its backups while it reads, and no longer', async () => {
    const { repo, backend, old, young } = await scene();
    const names = backend.get.bind(backend);
    let during: Awaited<ReturnType<Repository['leases']>> | undefined;
    let refused: unknown;
    backend.get = async (key, range) => {
      if (key.startsWith('objects/') && during === undefined) {
        during = await repo.leases();
        refused = await repo.forget({ owner: OWNER, ids: [old.id], minimum: 1 }).catch((error: unknown) => error);
      }
      return names(key, range);
    };
    const report = await repo.verify({ level: 'data', owner: OWNER });
    expect(report).toMatchObject({ ok: true, notes: [] });
    expect(during).toMatchObject([{ kind: 'read', backups: [young.id, old.id] }]);
    expect(refused).toMatchObject({ code: 'locked' });
    expect(await repo.leases()).toEqual([]);
  });

  test('it works where it may not write, and says so', async () => {
    const { repo, backend } = await scene();
    const { SkepError } = await import('../../../src/errors.ts');
    backend.put = async () => {
      throw new SkepError('repository-failed', 'cannot write: EROFS');
    };
    const report = await repo.verify({ level: 'data', owner: OWNER });
    expect(report.ok).toBe(true);
    expect(report.notes).toEqual([expect.stringContaining('EROFS')]);
  });

  test('it says when its lease was taken away', async () => {
    const { repo, backend } = await scene();
    const get = backend.get.bind(backend);
    backend.get = async (key, range) => {
      for (const k of backend.contents.keys()) if (k.startsWith('leases/')) backend.contents.delete(k);
      return get(key, range);
    };
    expect((await repo.verify({ level: 'data', owner: OWNER })).notes).toEqual([
      expect.stringContaining('verify again'),
    ]);
  });
});

describe('a subset', () => {
  const names = Array.from({ length: 2000 }, (_, i) => createHash('sha256').update(String(i)).digest('hex'));

  test.each([1, 2, 7, 31])('of %i parts each object is in exactly one', (of) => {
    const parts = Array.from({ length: of }, (_, i) => names.filter(chooser({ part: i + 1, of })));
    expect(parts.flat().sort()).toEqual([...names].sort());
    for (const part of parts) expect(part.length).toBeGreaterThan(2000 / of / 2);
  });

  const DAY = 86_400_000;

  test.each([
    ['5%', 20],
    ['30%', 4],
    ['0.5%', 200],
    ['100%', 1],
  ])('of %s is another part each day: %i days read every object once, whenever they begin', (share, days) => {
    const first = Date.UTC(2026, 10, 27, 23, 59);
    const read = Array.from({ length: days }, (_, day) => names.filter(chooser(parseSubset(share, first + day * DAY))));
    expect(read.flat().sort()).toEqual([...names].sort());
    expect(parseSubset(share, first + days * DAY)).toEqual(parseSubset(share, first));
  });

  test('that would hold no object is the next one that does; a report tells which', async () => {
    const { repo } = await memoryRepository();
    await backUp(repo, Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`f${i}`, `content ${i}`])));
    const subset = parseSubset('0.001%');
    const report = await repo.verify({ level: 'data', subset });
    expect(report.read.objects).toBe(1);
    const chosen = Array.from({ length: 5 }, (_, i) => createHash('sha256').update(`content ${i}`).digest('hex'));
    expect(chosen.filter(chooser(report.subset!))).toHaveLength(1);
    expect(report.subset).toEqual({ part: expect.any(Number), of: 100_000 });
    const own = await repo.verify({ level: 'data', subset: { part: report.subset!.part, of: 100_000, orNext: true } });
    expect(own.subset).toEqual(report.subset);
    // Of parts that are named each is what it is.
    const named = await repo.verify({ level: 'data', subset: parseSubset(`${subset.part}/100000`) });
    expect(named).toMatchObject({ read: { objects: 0 }, subset: { part: subset.part, of: 100_000 } });
    expect(await repo.verify({ level: 'data' })).not.toHaveProperty('subset');
  });

  test.each(['0/3', '4/3', '1', '0%', '101%', '-1/2', '1/2x', 'x', ''])('%s is refused', (text) => {
    expect(() => parseSubset(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('is what is read; structure and presence are of all', async () => {
    const { repo, backend } = await memoryRepository();
    await backUp(repo, Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, `content ${i}`])));
    (backend.contents.get(keyOf('content 7')) as Buffer)[3]! ^= 1;
    backend.contents.delete(keyOf('content 8'));
    const reports = [];
    for (const part of [1, 2, 3]) reports.push(await repo.verify({ level: 'data', subset: parseSubset(`${part}/3`) }));
    expect(reports.map((r) => r.objects)).toEqual([60, 60, 60]);
    expect(reports.reduce((sum, r) => sum + r.read.objects, 0)).toBe(59);
    expect(reports.filter((r) => kinds(r).includes(`hash-mismatch ${keyOf('content 7')}`))).toHaveLength(1);
    expect(reports.filter((r) => kinds(r).includes(`object-missing ${keyOf('content 8')}`))).toHaveLength(3);
  });
});

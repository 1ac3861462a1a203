import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { identityToRecipient } from 'age-encryption';
import { expect, test, vi } from 'vitest';
import { SkepError } from '../../../../src/errors.ts';
import type { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import type { CopyOptions, CopyReport } from '../../../../src/repository/copy/job.ts';
import { manifestCopyKey, manifestKey, objectKey, pieceKey } from '../../../../src/repository/format/names.ts';
import type { Manifest, Repository } from '../../../../src/repository/index.ts';
import { revokeManifest } from '../../../../src/repository/manifests.ts';
import { GOLDEN_KEYS } from '../support/make-golden.ts';
import { backUp, CLUSTER, collect, memoryRepository, nextBackupId } from '../support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const OWNER = { run: 'copy-1', host: 'h', pid: 1 };

interface End {
  repo: Repository;
  backend: MemoryBackend;
}

function copy(from: End, to: End, options: Partial<CopyOptions> = {}): Promise<CopyReport> {
  return to.repo.copyFrom(from.repo, { owner: OWNER, ...options });
}

/** A source with two backups that share `same`, and an empty target. */
async function scene(): Promise<{ from: End; to: End; old: Manifest; young: Manifest }> {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  const old = await backUp(from.repo, { a: 'only old', b: 'same', zst: 'compressed '.repeat(500) }, 'auto');
  const young = await backUp(from.repo, { b: 'same', c: 'only young' }, 'auto');
  return { from, to, old, young };
}

function keyOf(content: string): string {
  return objectKey(hash('sha256', content), 'raw');
}

async function contentsOf({ repo }: End, id: string): Promise<Record<string, string>> {
  const { parts } = await repo.readManifest(id);
  const contents: Record<string, string> = {};
  for (const part of parts) {
    for (const e of await collect(repo.readListing(part))) {
      if (e.object !== undefined)
        contents[e.path] = Buffer.concat(await collect(await repo.readObject(e.object))).toString();
    }
  }
  return contents;
}

test('all backups are copied, oldest first, and are whole in the target', async () => {
  const { from, to, old, young } = await scene();
  const report = await copy(from, to);
  expect(report).toMatchObject({
    there: [],
    resealed: false,
    copied: [{ from: old.id, id: old.id }, { from: young.id }],
  });
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [young.id, old.id] });
  expect(await contentsOf(to, old.id)).toEqual(await contentsOf(from, old.id));
  const manifest = await to.repo.readManifest(old.id);
  expect(manifest).toMatchObject({
    repository: to.repo.id,
    copiedFrom: { repository: from.repo.id, id: old.id },
    parts: old.parts,
    details: old.details,
  });
  const script = to.backend.contents.get(`backups/${old.id}/restore.sh`);
  expect(script).toEqual(from.backend.contents.get(`backups/${old.id}/restore.sh`));
});

test('what the target has does not move again', async () => {
  const { from, to, old } = await scene();
  await copy(from, to);
  expect(await copy(from, to)).toMatchObject({ copied: [], there: [expect.anything(), expect.anything()] });
  const next = await backUp(from.repo, { b: 'same', d: 'new' }, 'auto');
  const report = await copy(from, to);
  expect(report.copied).toMatchObject([{ from: next.id, keys: 4 }]);
  // The object, the listing and the inventory; `same` is there.
  expect(report.copied[0]?.newKeys).toBe(3);
  expect(report.there).toContain(old.id);
});

test('the newest ones, or those that are named', async () => {
  const { from, to, old, young } = await scene();
  expect((await copy(from, to, { last: 1, dryRun: true })).planned).toEqual([young.id]);
  expect(await to.repo.list()).toEqual([]);
  expect((await copy(from, to, { last: 1 })).copied.map((c) => c.from)).toEqual([young.id]);
  expect((await copy(from, to, { ids: [old.id] })).copied.map((c) => c.from)).toEqual([old.id]);
  await expect(copy(from, to, { ids: [nextBackupId()] })).rejects.toMatchObject({ code: 'backup-unknown' });
});

test('a copy of a copy is the same backup: it does not come back', async () => {
  const { from, to, young } = await scene();
  const third = await memoryRepository();
  await copy(from, to);
  await copy(to, third);
  expect((await third.repo.readManifest(young.id)).copiedFrom).toEqual({ repository: from.repo.id, id: young.id });
  expect(await copy(third, from)).toMatchObject({ copied: [] });
  expect(await copy(from, third)).toMatchObject({ copied: [] });
});

test.each([
  ['flipped', 'hash-mismatch', (b: MemoryBackend, key: string) => (b.contents.get(key)![0]! ^= 1)],
  ['cut', 'object-truncated', (b: MemoryBackend, key: string) => b.contents.set(key, b.contents.get(key)!.subarray(1))],
  ['longer', 'object-oversized', (b: MemoryBackend, key: string) => b.contents.set(key, Buffer.from('only old and'))],
  ['gone', 'object-missing', (b: MemoryBackend, key: string) => b.contents.delete(key)],
] as const)('a backup with an object that is %s is not copied, and named; the others are', async (_, kind, damage) => {
  const { from, to, old, young } = await scene();
  damage(from.backend, keyOf('only old'));
  await expect(copy(from, to)).rejects.toMatchObject({
    code: 'damage-found',
    hint: expect.stringContaining(`skep verify ${old.id}`),
    context: { backups: [old.id], findings: [{ backup: old.id, kind, key: keyOf('only old') }], copied: [young.id] },
  });
  expect((await to.repo.list()).map((b) => b.id)).toEqual([young.id]);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
  expect(to.backend.contents.has(keyOf('only old'))).toBe(false);
});

test('a large object that is flipped is not copied', async () => {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  const content = Buffer.alloc(1 << 20, 'x').toString();
  await backUp(from.repo, { large: content });
  from.backend.contents.get(keyOf(content))![70_000]! ^= 1;
  await expect(copy(from, to)).rejects.toMatchObject({ context: { findings: [{ kind: 'hash-mismatch' }] } });
  expect([...to.backend.contents.keys()].filter((key) => key.startsWith('objects/'))).toEqual([]);
});

test.each(['root', 'inventory'] as const)('a damaged piece (%s) is refused', async (member) => {
  const { from, to, old } = await scene();
  from.backend.contents.get(pieceKey(old.parts[0]![member], 'zstd'))![20]! ^= 1;
  await expect(copy(from, to, { ids: [old.id] })).rejects.toMatchObject({
    code: 'damage-found',
    context: { backups: [old.id], copied: [] },
  });
  expect(await to.repo.list()).toEqual([]);
});

test.each(['root', 'inventory'] as const)('a piece (%s) with a byte behind its frame is refused', async (member) => {
  const { from, to, old } = await scene();
  const key = pieceKey(old.parts[0]![member], 'zstd');
  from.backend.contents.set(key, Buffer.concat([from.backend.contents.get(key)!, Buffer.from('x')]));
  await expect(copy(from, to, { ids: [old.id] })).rejects.toMatchObject({ code: 'damage-found' });
  expect(await to.repo.list()).toEqual([]);
});

test('a target that keeps a part of a leaf of a listing and says that all is well is not believed', async () => {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  await backUp(from.repo, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, `content ${i}`])));
  const { set } = to.backend.contents;
  let cut = 0;
  to.backend.contents.set = (key, bytes) => {
    const cuts = key.startsWith('listings/') && cut === 0 && zstdDecompressSync(bytes).includes('"listing","level":0');
    cut += cuts ? 1 : 0;
    return set.call(to.backend.contents, key, cuts ? bytes.subarray(1) : bytes);
  };
  await expect(copy(from, to)).rejects.toMatchObject({ code: 'repository-failed' });
  expect(cut).toBe(1);
  expect(await to.repo.list()).toEqual([]);
});

test('a torn manifest is told after the others were copied', async () => {
  const { from, to, old, young } = await scene();
  from.backend.contents.set(manifestKey(young.id), Buffer.from('{}'));
  await expect(copy(from, to)).rejects.toMatchObject({ context: { backups: [young.id], copied: [old.id] } });
});

test('an object of another size in the target is damaged there and replaced', async () => {
  const { from, to } = await scene();
  to.backend.contents.set(keyOf('only old'), Buffer.from('half'));
  await copy(from, to);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
});

test('half of a RESTORE.md that an ended copy has left does not stand in the way, nor in the backup', async () => {
  const { from, to, old } = await scene();
  to.backend.contents.set(`backups/${old.id}/RESTORE.md`, Buffer.from('half'));
  await copy(from, to);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
});

test('a copy that was ended goes on where it was: what was published is not read again', async () => {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  const files = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`f${i}`, `content ${i}`]));
  await backUp(from.repo, files);
  const stop = new AbortController();
  let calls = 0;
  const onBytes = (): void => void (++calls === 6000 && stop.abort());
  await expect(copy(from, to, { signal: stop.signal, onBytes })).rejects.toMatchObject({ code: 'cancelled' });
  const before = [...to.backend.contents.keys()];
  expect(before.filter((key) => /^(incoming|leases|backups)\//.test(key))).toEqual([]);
  expect(before.length).toBeGreaterThan(4000);
  const { copied } = await copy(from, to);
  // All but skep.json and its copy.
  expect(copied[0]?.newKeys).toBe((copied[0]?.keys ?? 0) - (before.length - 2));
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true, objects: 9000 });
});

test('while it runs both ends know of it, and afterwards neither', async () => {
  const { from, to, old, young } = await scene();
  const during: unknown[] = [];
  const onBackup = (): void => {
    for (const { backend } of [from, to]) {
      const leases = [...backend.contents].filter(([key]) => key.startsWith('leases/'));
      during.push(leases.map(([, bytes]) => JSON.parse(bytes.toString()) as unknown));
    }
  };
  await copy(from, to, { onBackup });
  const backups = [old.id, young.id];
  expect(during.slice(0, 2)).toMatchObject([[{ kind: 'read', owner: OWNER, backups }], [{ kind: 'write', backups }]]);
  expect([...(await from.repo.leases()), ...(await to.repo.leases())]).toEqual([]);
});

test('where a dead copy’s place was taken the backup gets another id', async () => {
  const { from, to, old, young } = await scene();
  await revokeManifest(to.backend, old.id);
  const { copied } = await copy(from, to);
  expect(copied[0]?.from).toBe(old.id);
  expect(copied[0]?.id).not.toBe(old.id);
  expect(copied[0]?.id.slice(0, 16)).toBe(old.id.slice(0, 16));
  expect((await to.repo.list()).map((b) => b.state)).toEqual(['complete', 'complete']);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
  expect((await copy(from, to)).there).toEqual([old.id, young.id]);
});

test('who was taken for dead while it copied does not publish', async () => {
  const { from, to, young } = await scene();
  const onBackup = (id: string): void =>
    void (id === young.id && to.backend.contents.set(manifestKey(id), Buffer.from('revoked\n')));
  await expect(copy(from, to, { onBackup })).rejects.toMatchObject({ code: 'locked' });
  expect(to.backend.contents.has(manifestCopyKey(young.id))).toBe(false);
});

test('a source that can only be read is copied from without a lease, which is told once', async () => {
  const { from, to, old, young } = await scene();
  from.backend.put = () => Promise.reject(new SkepError('repository-credentials', 'no right to write'));
  const before = [...from.backend.contents.keys()];
  const told: string[] = [];
  const report = await copy(from, to, { onUnheld: (why) => told.push(why.message) });
  expect(report).toMatchObject({ copied: [{ from: old.id }, { from: young.id }] });
  expect(told).toEqual(['no right to write']);
  expect([...from.backend.contents.keys()]).toEqual(before);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [young.id, old.id] });
  expect((await copy(from, to)).there).toEqual([old.id, young.id]);
});

test('what is damaged in a source that can only be read is left out', async () => {
  const { from, to, old, young } = await scene();
  from.backend.put = () => Promise.reject(new SkepError('repository-failed', 'read-only'));
  from.backend.contents.set(keyOf('only young'), Buffer.from('ONLY young'));
  await expect(copy(from, to)).rejects.toMatchObject({
    code: 'damage-found',
    context: { backups: [young.id], copied: [old.id] },
  });
});

test('a repository is not copied into itself, nor into that of another cluster', async () => {
  const { from } = await scene();
  await expect(copy(from, from)).rejects.toMatchObject({ code: 'usage' });
  const { initOnBackend } = await import('../../../../src/repository/repository.ts');
  const other = await memoryRepository();
  for (const key of ['skep.json', 'skep.copy.json']) other.backend.contents.delete(key);
  other.repo = await initOnBackend(other.backend, { clusterName: 'staging', clusterId: 'c-2' });
  await expect(copy(from, other)).rejects.toMatchObject({ code: 'repository-foreign' });
});

test('into a repository with other keys contents are stored anew, and come back with those; it takes an identity', async () => {
  const { from, old, young } = await scene();
  const { initOnBackend, openOnBackend } = await import('../../../../src/repository/repository.ts');
  const { namingKey, identity } = GOLDEN_KEYS;
  const keys = { namingKey, recipients: [await identityToRecipient(identity)] };
  const to = await memoryRepository();
  to.backend.contents.clear();
  to.repo = await initOnBackend(to.backend, CLUSTER, keys);
  const report = await copy(from, to);
  expect(report).toMatchObject({ resealed: true, copied: [{ from: old.id }, { from: young.id }] });
  expect((await copy(from, to)).there).toEqual([old.id, young.id]);
  const open = { backend: to.backend, repo: await openOnBackend(to.backend, { ...keys, identities: [identity] }) };
  expect(await open.repo.verify({ level: 'data' })).toMatchObject({ ok: true, closed: false });
  expect(await contentsOf(open, old.id)).toEqual(await contentsOf(from, old.id));

  const back = await memoryRepository();
  await expect(copy(to, back)).rejects.toMatchObject({ code: 'key-missing' });
  expect(await copy(open, back, { last: 1 })).toMatchObject({ resealed: true, copied: [{ from: young.id }] });
  expect(await contentsOf(back, young.id)).toEqual(await contentsOf(from, young.id));
});

test('between repositories with the same keys bytes are copied as they are, without an identity', async () => {
  const { initOnBackend } = await import('../../../../src/repository/repository.ts');
  const keys = { namingKey: GOLDEN_KEYS.namingKey, recipients: [await identityToRecipient(GOLDEN_KEYS.identity)] };
  const ends: End[] = [];
  for (let i = 0; i < 2; i++) {
    const end = await memoryRepository();
    end.backend.contents.clear();
    ends.push({ backend: end.backend, repo: await initOnBackend(end.backend, CLUSTER, keys) });
  }
  const [from, to] = ends as [End, End];
  await backUp(from.repo, { a: 'secret', b: 'compressed '.repeat(500) }, 'auto');
  expect(await copy(from, to)).toMatchObject({ resealed: false, copied: [{ newKeys: 4 }] });
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true, closed: true });
  for (const [key, bytes] of from.backend.contents) {
    if (/^(objects|listings)/.test(key)) expect(to.backend.contents.get(key)).toEqual(bytes);
  }
});

/** Two sealed repositories with the same keys, without an identity. */
async function sealedEnds(): Promise<{ from: End; to: End; opened: (end: End) => Promise<End> }> {
  const { initOnBackend, openOnBackend } = await import('../../../../src/repository/repository.ts');
  const { namingKey, identity } = GOLDEN_KEYS;
  const keys = { namingKey, recipients: [await identityToRecipient(identity)] };
  const make = async (): Promise<End> => {
    const { backend } = await memoryRepository();
    backend.contents.clear();
    return { backend, repo: await initOnBackend(backend, CLUSTER, keys) };
  };
  const opened = async ({ backend }: End): Promise<End> => ({
    backend,
    repo: await openOnBackend(backend, { ...keys, identities: [identity] }),
  });
  return { from: await make(), to: await make(), opened };
}

const SHARED = { a: 'secret', b: 'compressed '.repeat(500) };

test('what the target has sealed itself is not taken for what the source has sealed, though it has the same size', async () => {
  const { from, to, opened } = await sealedEnds();
  const theirs = await backUp(to.repo, SHARED, 'auto');
  const ours = await backUp(from.repo, { ...SHARED, c: 'more' }, 'auto');
  await expect(copy(from, to)).rejects.toMatchObject({
    code: 'key-missing',
    hint: expect.stringContaining('identity'),
  });
  expect((await to.repo.list()).map((b) => b.id)).toEqual([theirs.id]);
  const source = await opened(from);
  expect(await copy(source, to)).toMatchObject({ copied: [{ from: ours.id }] });
  const target = await opened(to);
  expect(await target.repo.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [ours.id, theirs.id] });
  expect(await contentsOf(target, ours.id)).toEqual(await contentsOf(source, ours.id));
});

test('what an earlier copy has brought sealed is not read again; what a killed one has, is', async () => {
  const { from, to } = await sealedEnds();
  await backUp(from.repo, SHARED, 'auto');
  await copy(from, to);
  const { id } = await backUp(from.repo, { ...SHARED, c: 'more' }, 'auto');
  const read = vi.spyOn(to.backend, 'get');
  const objectsRead = () => read.mock.calls.filter(([key]) => key.startsWith('objects/')).length;
  await copy(from, to);
  expect(objectsRead()).toBe(0);
  // A copy that was killed before its manifest.
  for (const key of [manifestKey(id), manifestCopyKey(id)]) to.backend.contents.delete(key);
  await copy(from, to);
  expect(objectsRead()).toBe(1);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
});

test('a content that the target has compressed in another way is told by the copy as it is there', async () => {
  const { from, to, old } = await scene();
  const content = Buffer.from('compressed '.repeat(500));
  const key = objectKey(hash('sha256', content), 'zstd');
  const theirs = zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  expect(theirs.length).not.toBe(from.backend.contents.get(key)?.length);
  to.backend.contents.set(key, theirs);
  expect((await copy(from, to)).copied).toHaveLength(2);
  expect(to.backend.contents.get(key)).toEqual(theirs);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
  expect(await contentsOf(to, old.id)).toEqual(await contentsOf(from, old.id));
});

test('a compressed content that is cut in the target is replaced', async () => {
  const { from, to } = await scene();
  const key = objectKey(hash('sha256', 'compressed '.repeat(500)), 'zstd');
  to.backend.contents.set(key, from.backend.contents.get(key)!.subarray(0, 20));
  expect((await copy(from, to)).copied).toHaveLength(2);
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
});

test('no content is laid out in plain between two repositories with other keys', async () => {
  const { to } = await sealedEnds();
  const plain = await memoryRepository();
  await backUp(plain.repo, { large: Buffer.alloc(9 << 20, 'x') });
  vi.stubEnv('TMPDIR', '/nonexistent');
  try {
    expect(await copy(plain, to)).toMatchObject({ resealed: true, copied: [expect.anything()] });
  } finally {
    vi.unstubAllEnvs();
  }
  expect(await to.repo.verify({ level: 'data' })).toMatchObject({ ok: true });
});

test('what was found damaged in the target is brought again, and makes the copies there whole', async () => {
  const { from, to, old } = await scene();
  await copy(from, to, { ids: [old.id] });
  const piece = [...to.backend.contents.keys()].find((key) => key === pieceKey(old.parts[0]!.inventory, 'zstd'))!;
  for (const key of [keyOf('same'), piece]) to.backend.contents.get(key)![3]! ^= 1;
  expect((await to.repo.verify({ level: 'data' })).findings.map(({ key }) => key).sort()).toEqual([
    piece,
    keyOf('same'),
  ]);
  await backUp(from.repo, { a: 'only old', b: 'same', zst: 'compressed '.repeat(500) }, 'auto');
  await copy(from, to);
  expect((await to.repo.verify({ level: 'data' })).findings).toEqual([]);
});

test('what was damaged and stored anew in other bytes is copied by its content', async () => {
  const [from, to] = [await memoryRepository(), await memoryRepository()];
  const content = Array.from({ length: 4000 }, (_, i) => `${(i * 7919) % 1009} `).join('');
  const old = await backUp(from.repo, { zst: content }, 'auto');
  const key = objectKey(hash('sha256', content), 'zstd');
  const before = Buffer.from(from.backend.contents.get(key)!);
  from.backend.contents.get(key)![10]! ^= 1;
  expect((await from.repo.verify({ level: 'data' })).findings).toMatchObject([{ key }]);
  await backUp(from.repo, { zst: content }, 'max');
  expect(from.backend.contents.get(key)).not.toEqual(before);
  expect((await from.repo.verify({ level: 'data' })).findings).toEqual([]);
  expect((await copy(from, to)).copied).toHaveLength(2);
  const copied = (await to.repo.list()).at(-1)!.id;
  expect(await contentsOf(to, copied)).toEqual(await contentsOf(from, old.id));
  expect((await to.repo.verify({ level: 'data' })).findings).toEqual([]);
});

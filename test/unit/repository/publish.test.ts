import { hash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { manifestCopyKey, objectKey } from '../../../src/repository/format/names.ts';
import type { Manifest } from '../../../src/repository/index.ts';
import { acquireLease } from '../../../src/repository/lease/index.ts';
import { backUp, memoryRepository, nextBackupId, publishPart, wholePaths } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const sha256 = (text: string) => hash('sha256', text);
const OWNER = { run: 'r', host: 'h', pid: 1 };

function draftOf(manifest: Manifest) {
  const { format: _f, state: _s, repository: _r, cluster: _c, details = {}, sealed: _, ...draft } = manifest;
  return { ...draft, details, id: nextBackupId() };
}

describe('publish', () => {
  test('gives a backup that is listed newest first and read back', async () => {
    const { repo } = await memoryRepository();
    const first = await backUp(repo, { a: '1' });
    const second = await backUp(repo, { a: '2' });
    const { details: _, ...summary } = second;
    expect((await repo.list())[0]).toEqual({ id: second.id, state: 'complete', manifest: summary });
    expect((await repo.list()).map((backup) => backup.id)).toEqual([second.id, first.id]);
    expect(await repo.readManifest(first.id)).toEqual(first);
    await expect(repo.readManifest(nextBackupId())).rejects.toMatchObject({ code: 'backup-unknown' });
    await expect(repo.readManifest('../../skep.json')).rejects.toMatchObject({ code: 'backup-unknown' });
  });

  test('refuses an id that was used', async () => {
    const { repo } = await memoryRepository();
    const first = await backUp(repo, { a: '1' });
    const other = { ...first.parts[0]!, newBytes: 7 };
    await expect(publishPart(repo, first.id, other)).rejects.toMatchObject({ code: 'repository-failed' });
    expect(await repo.readManifest(first.id)).toEqual(first);
  });

  test('that is told to exist because its first answer was lost has succeeded', async () => {
    const { repo, backend } = await memoryRepository();
    const first = await backUp(repo, { a: '1' });
    const put = backend.put.bind(backend);
    backend.put = async (key, bytes, options) => {
      if (key.endsWith('manifest.json')) await put(key, bytes, options);
      return put(key, bytes, options);
    };
    const second = await repo.publish(draftOf(first));
    expect((await repo.list()).map((backup) => backup.id)).toEqual([second.id, first.id]);
  });

  test.each([
    ['gone', 'object-missing', () => undefined],
    ['cut', 'object-damaged', (bytes: Buffer) => bytes.subarray(1)],
  ] as const)('refuses when a reused object is %s', async (_, code, damage) => {
    const { repo, backend } = await memoryRepository();
    const first = await backUp(repo, { a: 'one', b: 'two' });
    const key = objectKey(sha256('two'), 'raw');
    const damaged = damage(backend.contents.get(key) as Buffer);
    if (damaged === undefined) backend.contents.delete(key);
    else backend.contents.set(key, damaged);
    await expect(repo.publish(draftOf(first))).rejects.toMatchObject({ code });
    expect(await repo.list()).toHaveLength(1);
  });

  test.each([
    ['told with the names', (names: ReadonlyMap<string, number>) => names, true],
    ['not told', (names: ReadonlyMap<string, number>) => new Map([...names.keys()].map((n) => [n, undefined])), false],
  ])('of very many files reads folders instead of asking for each object; sizes %s', async (_, told, everySize) => {
    const { repo, backend } = await memoryRepository();
    const files = Object.fromEntries(Array.from({ length: 300 }, (_file, i) => [`f${i}`, `content ${i}`]));
    const first = await backUp(repo, files);
    const many = () => ({ ...draftOf(first), parts: [{ ...first.parts[0]!, files: 1_000_000 }] });
    const namesOf = backend.names.bind(backend);
    backend.names = async (prefix) => told((await namesOf(prefix)) as ReadonlyMap<string, number>);
    const sizes = vi.spyOn(backend, 'sizes');
    await repo.publish(many());
    const asked = sizes.mock.calls.flatMap(([keys]) => keys).filter((key) => key.startsWith('objects/'));
    expect(asked.length).toBeLessThan(everySize ? 1 : 60);
    const objects = [...backend.contents].filter(([key]) => key.startsWith('objects/'));
    for (const [key, bytes] of objects.slice(0, 20)) {
      backend.contents.delete(key);
      await expect(repo.publish(many())).rejects.toMatchObject({ code: 'object-missing' });
      backend.contents.set(key, bytes);
    }
    // Those whose size is asked with this backup: it is in the folders that the last digit of its id tells.
    let refused = 0;
    for (const [key, bytes] of objects) {
      backend.contents.set(key, bytes.subarray(1));
      const draft = many();
      const due = everySize || key['objects/a'.length] === draft.id.at(-1);
      if (due) await expect(repo.publish(draft)).rejects.toMatchObject({ code: 'object-damaged' });
      refused += due ? 1 : 0;
      backend.contents.set(key, bytes);
      if (refused === 3) break;
    }
    expect(refused).toBe(3);
  });

  test.each(['cut', 'gone'])('notes an object that is %s: the next backup does not take it for stored', async (how) => {
    const { repo, backend } = await memoryRepository();
    const files = Object.fromEntries(['one content', 'another content'].map((text) => [sha256(text), text]));
    const first = await backUp(repo, files);
    const [key = ''] = [...backend.contents.keys()].filter((k) => k.startsWith('objects/'));
    if (how === 'gone') backend.contents.delete(key);
    else backend.contents.set(key, (backend.contents.get(key) as Buffer).subarray(1));
    // As on a folder, which tells no sizes with its names.
    const names = backend.names.bind(backend);
    backend.names = async (prefix) => new Map([...(await names(prefix)).keys()].map((name) => [name, undefined]));
    await expect(repo.publish(draftOf(first))).rejects.toMatchObject({ context: { key } });
    const whole = await wholePaths(repo, first.parts[0]!);
    expect(Object.keys(files).filter((path) => !whole.includes(path))).toEqual([key.slice('objects/ab/'.length)]);
    await backUp(repo, files);
    expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true });
  });

  test('does not believe a listing that lacks an object among many', async () => {
    const { repo, backend } = await memoryRepository();
    const first = await backUp(repo, { a: '1' });
    const [part] = first.parts;
    const names = backend.names.bind(backend);
    backend.names = async (prefix) => (prefix.startsWith('objects/') ? new Map() : names(prefix));
    const draft = { ...draftOf(first), parts: [{ ...part!, files: 20_001 }] };
    expect((await repo.publish(draft)).parts[0]?.files).toBe(20_001);
  });

  test('refuses when a piece of a listing is gone; one of an inventory is written again', async () => {
    const { repo, backend } = await memoryRepository();
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, String(i)]));
    const first = await backUp(repo, files);
    const pieces = [...backend.contents].filter(([key]) => key.startsWith('listings/'));
    expect(pieces.length).toBeGreaterThan(10);
    let refused = 0;
    for (const [key, bytes] of pieces) {
      backend.contents.delete(key);
      if (zstdDecompressSync(bytes).toString().startsWith('{"skep":"listing"')) {
        refused++;
        await expect(repo.publish(draftOf(first))).rejects.toMatchObject({ code: 'object-missing' });
      } else {
        const told: string[] = [];
        const { id } = await repo.publish(draftOf(first), { onDamage: (why) => told.push(why) });
        expect(told).toHaveLength(1);
        expect((await repo.verify({ level: 'presence', ids: [id] })).findings).toEqual([]);
      }
      backend.contents.set(key, bytes);
    }
    expect(await repo.list()).toHaveLength(1 + pieces.length - refused);
  });

  test.each([
    ['the manifest', /manifest\.json$/],
    ['what a restore without skep needs', /RESTORE\.md$/],
    ['an object', /^objects/],
    ['a leaf of a listing', /^listings/],
  ])('does not believe a storage that keeps a part of %s and says that all is well', async (_, which) => {
    const { repo, backend } = await memoryRepository();
    const files = Object.fromEntries(Array.from({ length: 300 }, (_file, i) => [`f${i}`, `content ${i}`]));
    const { set } = backend.contents;
    let isCut = false;
    backend.contents.set = (key, bytes) => {
      const cuts = !isCut && which.test(key);
      isCut ||= cuts;
      return set.call(backend.contents, key, cuts ? bytes.subarray(0, bytes.length / 2) : bytes);
    };
    await expect(backUp(repo, files)).rejects.toMatchObject({ context: { key: expect.stringMatching(which) } });
    expect(isCut).toBe(true);
    expect((await repo.list()).filter(({ state }) => state === 'complete')).toEqual([]);
  });

  test('whose copy of the manifest cannot be written has succeeded, and leaves no half of it', async () => {
    const { repo, backend } = await memoryRepository();
    const put = backend.put.bind(backend);
    backend.put = async (key, bytes, options) => {
      if (!key.endsWith('manifest.copy.json')) return put(key, bytes, options);
      await put(key, bytes.subarray(1), options);
      throw new SkepError('no-space', 'full');
    };
    const { id } = await backUp(repo, { a: 'one' });
    const { findings } = await repo.verify({ level: 'data' });
    expect(findings).toMatchObject([{ kind: 'manifest-copy-missing', key: manifestCopyKey(id) }]);
    expect(backend.contents.has(manifestCopyKey(id))).toBe(false);
  });

  test('refuses when it was cancelled or the lease is lost', async () => {
    const { repo, backend } = await memoryRepository();
    const first = await backUp(repo, { a: 'one' });
    await expect(repo.publish(draftOf(first), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const lease = await acquireLease(backend, 'write', OWNER);
    await backend.put(`leases/${lease.id}.revoked`, Buffer.alloc(0));
    await expect(repo.publish(draftOf(first), { lease })).rejects.toMatchObject({ code: 'locked' });
    await lease.release();
    expect(await repo.list()).toHaveLength(1);
  });

  test('writes nothing when the manifest would not be one', async () => {
    const { repo } = await memoryRepository();
    const first = await backUp(repo, { a: 'one' });
    await expect(repo.publish({ ...draftOf(first), parts: [] })).rejects.toMatchObject({ code: 'internal' });
    await expect(repo.publish({ ...draftOf(first), id: '../x' })).rejects.toMatchObject({ code: 'internal' });
    expect(await repo.list()).toHaveLength(1);
  });
});

describe('a lease', () => {
  test('is listed while it is held, and not after', async () => {
    const { repo } = await memoryRepository();
    const [first, second] = [await repo.acquireLease('write', OWNER), await repo.acquireLease('write', OWNER)];
    expect(first.id).not.toBe(second.id);
    expect(await repo.leases()).toMatchObject([
      { id: first.id, kind: 'write', owner: OWNER, stale: false },
      { id: second.id, kind: 'write', owner: OWNER, stale: false },
    ]);
    await first.assertHeld();
    await first.release();
    expect((await repo.leases()).map((lease) => lease.id)).toEqual([second.id]);
    await expect(first.assertHeld()).rejects.toMatchObject({ code: 'locked' });
    await second.release();
  });

  test('beats its heart; one that cannot is lost for its owner', async () => {
    const { backend } = await memoryRepository();
    const lease = await acquireLease(backend, 'write', OWNER, { heartbeatMs: 5, staleMs: 60_000 });
    const key = `leases/${lease.id}.json`;
    const first = (backend.contents.get(key) as Buffer).toString();
    await expect.poll(() => (backend.contents.get(key) as Buffer).toString()).not.toBe(first);
    await lease.release();
    expect(backend.contents.has(key)).toBe(false);

    const dying = await acquireLease(backend, 'write', OWNER, { heartbeatMs: 5, staleMs: 50 });
    backend.put = () => Promise.reject(new Error('storage is away'));
    await expect
      .poll(() =>
        dying.assertHeld().then(
          () => 'held',
          (e: { code: string }) => e.code,
        ),
      )
      .toBe('locked');
    await dying.release();
  });

  test('that was taken away does not come back by a heartbeat', async () => {
    const { backend } = await memoryRepository();
    const lease = await acquireLease(backend, 'write', OWNER, { heartbeatMs: 5 });
    backend.contents.delete(`leases/${lease.id}.json`);
    await expect
      .poll(() =>
        lease.assertHeld().then(
          () => 'held',
          (e: { code: string }) => e.code,
        ),
      )
      .toBe('locked');
    expect(backend.contents.has(`leases/${lease.id}.json`)).toBe(false);
    await lease.release();
  });

  test('that cannot be read is shown as stale', async () => {
    const { repo, backend } = await memoryRepository();
    await backend.put(`leases/${'a'.repeat(32)}.json`, Buffer.from('{torn'));
    expect(await repo.leases()).toMatchObject([{ id: 'a'.repeat(32), stale: true }]);
  });
});

describe('a run log', () => {
  test('keeps all events in order, one a line', async () => {
    const { repo, backend } = await memoryRepository();
    const log = repo.runLog('run-1');
    for (let i = 0; i < 100; i++) log.write({ event: 'step', i });
    await log.flush();
    log.write({ event: 'end' });
    await log.flush();
    const lines = (backend.contents.get('runs/run-1.ndjson') as Buffer).toString().trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { i?: number }).i)).toEqual([...Array(100).keys(), undefined]);
  });

  test('says at flush that it could not be written', async () => {
    const { repo, backend } = await memoryRepository();
    backend.append = () => Promise.reject(new Error('full'));
    const log = repo.runLog('run-1');
    log.write({ event: 'step' });
    expect(await log.flush()).toMatchObject({ message: 'full' });
  });
});

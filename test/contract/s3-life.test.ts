import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { S3Server } from '../../lab/index.ts';
import { SkepError } from '../../src/errors.ts';
import { manifestKey } from '../../src/repository/format/names.ts';
import {
  fileEntry,
  initRepository,
  type ListingEntry,
  newBackupId,
  openRepository,
  type Repository,
  type RepositoryAccess,
} from '../../src/repository/index.ts';
import { S3Backend } from '../../src/repository/backend/s3/s3-backend.ts';
import { accessOf, bootS3, oldVersions, uploadsUnderWay } from './support/s3.ts';

const CLUSTER = { clusterName: 'prod', clusterId: 'c-1' };
const OWNER = { run: 'life', host: 'h', pid: 1 };
const HOUR_MS = 3_600_000;

let server: S3Server;
let folder: string;
beforeAll(async () => {
  server = await bootS3();
  folder = await mkdtemp(join(tmpdir(), 'skep-life-'));
}, 600_000);
afterAll(async () => {
  await server?.down();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

let minutes = 0;

/** Backs up files of the folder by their names. */
async function backUp(repository: Repository, names: readonly string[], lockMs?: number): Promise<string> {
  const id = newBackupId(new Date(Date.UTC(2026, 0, 1, 0, minutes++)));
  const lease = await repository.acquireLease('write', { ...OWNER, run: id });
  const writer = repository.objectWriter({ run: id, writer: 'n1', compression: 'auto' });
  const entries: ListingEntry[] = [];
  for (const name of [...names].sort()) entries.push(fileEntry(name, await writer.putFile(join(folder, name))));
  const ref = await repository.writeListing(entries, writer);
  await writer.close();
  const at = new Date().toISOString();
  const parts = [{ node: 'n1', store: 'files', ...ref, newBytes: writer.totals.newBytes }];
  const draft = { id, startedAt: at, finishedAt: at, consistency: 'window', windowMs: 1, parts, details: {} } as const;
  await repository.publish({ ...draft, parts }, { lease, ...(lockMs === undefined ? {} : { lockMs }) });
  await repository.discardRun(id);
  await lease.release();
  return id;
}

async function expectLaidOut(repository: Repository, id: string, names: readonly string[]): Promise<void> {
  const [part] = (await repository.readManifest(id)).parts;
  const seen: string[] = [];
  for await (const entry of repository.readListing(part!)) {
    const to = join(folder, 'laid-out');
    await repository.extract(entry.object as string, to);
    expect((await readFile(to)).equals(await readFile(join(folder, entry.path)))).toBe(true);
    seen.push(entry.path);
  }
  expect(seen).toEqual([...names].sort());
}

test('a repository on a versioned bucket with object lock lives its whole life', async () => {
  await server.makeBucket('life', { objectLock: true });
  const s3 = await accessOf(server);
  const access: RepositoryAccess = { location: 's3://life/skep', s3 };
  await writeFile(join(folder, 'large'), randomBytes(20 << 20));
  await writeFile(join(folder, 'text'), 'words '.repeat(10_000));
  for (const name of ['locked', 'gone']) await writeFile(join(folder, name), randomBytes(5000));
  const repository = await initRepository(access, CLUSTER);
  expect(await repository.canLock()).toBe(true);

  const locked = await backUp(repository, ['large', 'locked'], HOUR_MS);
  const old = await backUp(repository, ['gone', 'large']);
  const young = await backUp(repository, ['large', 'text']);
  const again = await openRepository(access);
  expect((await again.list()).map(({ id, state }) => [id, state])).toEqual([
    [young, 'complete'],
    [old, 'complete'],
    [locked, 'complete'],
  ]);
  expect(await again.verify({ level: 'data' })).toMatchObject({ ok: true, objects: 4 });
  await expectLaidOut(again, young, ['large', 'text']);

  const target = await initRepository(join(folder, 'copy'), CLUSTER);
  expect((await target.copyFrom(again, { owner: OWNER })).copied.map(({ from }) => from)).toEqual([locked, old, young]);
  expect(await target.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [young, old, locked] });
  await expectLaidOut(target, old, ['gone', 'large']);

  const backend = new S3Backend('s3://life/skep', s3);
  const lockUntil = new Date(Date.now() + HOUR_MS);
  await backend.put('damaged/x', Buffer.from('locked as it is written'), { lockUntil });
  const [atOnce] = await backend.retention.lockedUntil(['damaged/x']);
  expect(Math.abs((atOnce?.getTime() ?? 0) - lockUntil.getTime())).toBeLessThan(1000);
  const [until, free] = await backend.retention.lockedUntil([manifestKey(locked), manifestKey(old)]);
  expect(until?.getTime()).toBeGreaterThan(Date.now() + HOUR_MS);
  expect(free).toBeUndefined();
  await expect(backend.delete(manifestKey(locked))).rejects.toThrow();
  await expect(again.forget({ owner: OWNER, ids: [locked], minimum: 1 })).rejects.toMatchObject({
    code: 'object-locked',
  });

  expect(await again.forget({ owner: OWNER, rules: { last: 1 }, minimum: 1 })).toMatchObject({ forgotten: [old] });
  expect(await again.prune({ owner: OWNER })).toMatchObject({ objects: 1, locked: { keys: 0 } });
  expect(await again.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [young, locked], objects: 3 });
  await expectLaidOut(again, locked, ['large', 'locked']);
  expect(await uploadsUnderWay(s3, 'life', 'skep/')).toEqual([]);
  expect(await oldVersions(s3, 'life', 'skep/')).toEqual([]);
  expect(await again.leases()).toEqual([]);
}, 120_000);

test("notes of uploads that are damaged or go meanwhile stand in nobody's way", async () => {
  await server.makeBucket('notes');
  const backend = new S3Backend('s3://notes/skep', await accessOf(server));
  const batch = backend.openBatch('incoming/dead/w/');
  const staged = await batch.stage({ key: 'objects/aa/1', size: 20 << 20 });
  for (let n = 0; n < 17; n++) await staged.write(randomBytes(1 << 20));
  for (const [i, bytes] of ['', '{', '{"key":1}', 'null'].entries()) {
    await backend.put(`incoming/dead/w/${i}.upload`, Buffer.from(bytes));
  }
  expect(await backend.clearLeftovers()).toBe(0);
  await backend.deletePrefix('incoming/dead/');
  const left: string[] = [];
  for await (const { key } of backend.list('')) left.push(key);
  expect(left).toEqual([]);
  await batch.close();
  expect(await uploadsUnderWay(await accessOf(server), 'notes', 'skep/')).toEqual([]);
});

test('a deletion is held back by what is looked at when it is signed, and an old one is refused', async () => {
  for (const objectLock of [false, true]) {
    const bucket = objectLock ? 'fence-versions' : 'fence';
    await server.makeBucket(bucket, { objectLock });
    const backend = new S3Backend(`s3://${bucket}/skep`, await accessOf(server));
    await backend.put('objects/aa/1', randomBytes(10));
    const fence = vi.fn<() => void>();
    fence.mockImplementationOnce(() => {
      throw new SkepError('locked', 'held up');
    });
    await expect(backend.deleteMany(['objects/aa/1'], fence)).rejects.toMatchObject({ code: 'locked' });
    expect(await backend.sizes(['objects/aa/1'])).toEqual([10]);
    await backend.deleteMany(['objects/aa/1'], fence);
    expect(await backend.sizes(['objects/aa/1'])).toEqual([undefined]);
    expect(fence).toHaveBeenCalledTimes(2);
    expect(await backend.refusesOld('incoming/old')).toBe(true);
    expect(await backend.sizes(['incoming/old'])).toEqual([undefined]);
  }
});

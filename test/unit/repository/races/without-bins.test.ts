import { expect, onTestFinished, test, vi } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { leaseKey, stopKey, sweepKey } from '../../../../src/repository/format/names.ts';
import { acquireLease, listLeases, unlock } from '../../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';
import { LockingBackend } from '../support/memory-retention.ts';
import { dropManifest, isWhole, objectsOf, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { CLUSTER, nextBackupId } from '../support/repository.ts';
import { type Call, Participant, withCalls } from '../support/step-backend.ts';

/** More than one group of keys that a sweep deletes between two looks. */
const MANY = Array.from({ length: 1500 }, (_, i) => `old ${i}`);

async function withGarbage(): Promise<LockingBackend> {
  const backend = new LockingBackend();
  await initOnBackend(backend, CLUSTER);
  const old = await Writer.backUp(backend, MANY);
  await Writer.backUp(backend, ['kept']);
  await dropManifest(backend, old.id);
  return backend;
}

test('a backup waits until a slow sweep has stopped, then stores what that deleted and reuses the rest', async () => {
  const backend = await withGarbage();
  const sweeper = new Participant(backend);
  const pause = sweeper.pauseBefore((call) => call.op === 'deleteMany');
  const pruning = pruneOn(sweeper.backend);
  await pause.reached;
  const [lease] = await listLeases(backend);
  let begun = false;
  const writer = await Writer.on(backend);
  const beginning = writer.begin().then(() => (begun = true));
  await expect.poll(async () => (await backend.sizes([stopKey(lease!.id)]))[0]).toBeDefined();
  expect(begun).toBe(false);
  pause.resume();
  await beginning;
  // One group was on its way; the sweep has given up the rest.
  expect(await objectsOf(backend)).toHaveLength(501);
  await writer.publish(await writer.store(MANY));
  await writer.end();
  expect(await pruning).toMatchObject({ objects: 1000 });
  expect(await objectsOf(backend)).toHaveLength(1501);
  expect(await isWhole(backend)).toBe(true);
});

test('a sweep whose deletion failed keeps its record: it may still be carried out', async () => {
  const backend = await withGarbage();
  const failing = withCalls(backend, { deleteMany: () => Promise.reject(new Error('no answer')) });
  await expect(pruneOn(failing)).rejects.toThrow('no answer');
  const [lease] = await listLeases(backend);
  expect(await backend.sizes([sweepKey(lease!.id)])).toEqual([expect.any(Number)]);
});

test('a listing of the backups that comes late once, whichever it is, makes a prune delete nothing that they need', async () => {
  for (let late = 1, looked = late; looked >= late; late++) {
    const backend = new LockingBackend();
    await initOnBackend(backend, CLUSTER);
    const old = await Writer.backUp(backend, ['old']);
    const { id } = await Writer.backUp(backend, ['kept']);
    await dropManifest(backend, old.id);
    looked = 0;
    const slow = withCalls(backend, {
      list: async function* list(prefix: string) {
        const isLate = prefix === 'backups/' && ++looked === late;
        for await (const found of backend.list(prefix)) if (!isLate || !found.key.includes(id)) yield found;
      },
    });
    expect(await pruneOn(slow)).toMatchObject({ objects: 1, backups: 1 });
    expect({ late, whole: await isWhole(backend) }).toEqual({ late, whole: true });
  }
});

test('a sweeper that is paused before its record removes nothing when it comes back after a backup has begun', async () => {
  const backend = await withGarbage();
  const sweeper = new Participant(backend);
  const pause = sweeper.pauseBefore((call) => call.op === 'put' && call.key.endsWith('.sweep'));
  const pruning = pruneOn(sweeper.backend);
  await pause.reached;
  await Writer.backUp(backend, MANY);
  pause.resume();
  expect(await pruning).toMatchObject({ objects: 0, backups: 2 });
  expect(await objectsOf(backend)).toHaveLength(1501);
  expect(await isWhole(backend)).toBe(true);
});

test('a sweeper that is paused in the middle and does not answer keeps backups away until a person ends it; then it deletes nothing more', async () => {
  const backend = await withGarbage();
  let groups = 0;
  const isLook = (call: Call) => call.op === 'sizes' && call.key.startsWith('leases/') && groups > 0;
  const counting = withCalls(backend, {
    deleteMany: async (keys) => {
      await backend.deleteMany(keys);
      groups++;
    },
  });
  const paused = new Participant(counting);
  const pause = paused.pauseBefore(isLook);
  const pruning = pruneOn(paused.backend).catch((error: unknown) => error);
  await pause.reached;
  const [lease] = await listLeases(backend);
  const writing = acquireLease(backend, 'write', ownerOf(nextBackupId()), { stopMs: 1 });
  await expect(writing).rejects.toMatchObject({
    code: 'locked',
    hint: expect.stringContaining(`skep unlock ${lease!.id} --force`),
  });
  expect((await listLeases(backend)).map(({ kind }) => kind)).toEqual(['delete']);

  await unlock(backend, [lease!.id], { by: 'test', force: true });
  await Writer.backUp(backend, MANY);
  pause.resume();
  expect(await pruning).toMatchObject({ code: 'locked' });
  expect(groups).toBe(1);
  expect(await objectsOf(backend)).toHaveLength(1501);
  expect(await isWhole(backend)).toBe(true);
});

test('a sweeper that died in the middle is taken over once the storage takes nothing more from it; before, the hint says when', async () => {
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const backend = Object.assign(await withGarbage(), { refusesOld: async () => true });
  const dying = withCalls(backend, { deleteMany: () => new Promise<void>(() => {}) });
  void pruneOn(dying);
  await vi.waitFor(() => expect([...backend.contents.keys()].some((key) => key.endsWith('.sweep'))).toBe(true));
  const [lease] = await listLeases(backend);
  const beatAt = (when: Date) => {
    const key = leaseKey(lease!.id);
    const written = JSON.parse((backend.contents.get(key) as Buffer).toString()) as object;
    backend.contents.set(key, Buffer.from(JSON.stringify({ ...written, heartbeatAt: when })));
  };
  beatAt(minutesAgo(29));
  const early = acquireLease(backend, 'write', ownerOf(nextBackupId()), { stopMs: 1 });
  await expect(early).rejects.toMatchObject({ code: 'locked', hint: expect.stringContaining('Wait 1 min ') });
  beatAt(minutesAgo(31));
  await Writer.backUp(backend, MANY);
  expect(await isWhole(backend)).toBe(true);
});

test('a deletion that was held up between the look at the lease and its sending is not sent', async () => {
  const backend = await withGarbage();
  let wait = 0;
  const now = performance.now.bind(performance);
  onTestFinished(() => void vi.restoreAllMocks());
  vi.spyOn(performance, 'now').mockImplementation(() => now() + wait);
  const slow = withCalls<Backend>(backend, {
    deleteMany: async (keys: readonly string[], fence?: () => void) => {
      wait = 61_000;
      fence?.();
      await backend.deleteMany(keys);
    },
  });
  await expect(pruneOn(slow)).rejects.toMatchObject({ code: 'locked' });
  expect(await objectsOf(backend)).toHaveLength(1501);
});

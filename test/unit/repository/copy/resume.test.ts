import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import { openOnBackend, initOnBackend } from '../../../../src/repository/repository.ts';
import { fastFolder, isWhole, ownerOf } from '../support/races.ts';
import { backUp, CLUSTER, memoryRepository, nextBackupId } from '../support/repository.ts';
import { Participant } from '../support/step-backend.ts';

const FILES = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, `content ${i}`]));

async function keysBelow(backend: Backend, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list(prefix)) keys.push(key);
  return keys;
}

/** A copy that stands still before it reads one object, when it has brought the others; seconds fly by meanwhile. */
async function beginCopy() {
  const source = await memoryRepository();
  const backup = await backUp(source.repo, FILES);
  const target = new PathBackend(await fastFolder());
  await initOnBackend(target, CLUSTER);
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
  const slow = new Participant(source.backend);
  let reads = 0;
  const pause = slow.pauseBefore((call) => call.op === 'get' && call.key.startsWith('objects/') && ++reads === 10);
  const owner = { ...ownerOf(nextBackupId()), pid: process.pid };
  const copying = (await openOnBackend(target))
    .copyFrom(await openOnBackend(slow.backend), { owner })
    .catch((e: unknown) => e);
  await pause.reached;
  return { source, target, backup, owner, end: () => (pause.resume(), copying) };
}

test('a copy as stored publishes what it staged some seconds ago, so that a killed one has lost little', async () => {
  const { target, end } = await beginCopy();
  await expect.poll(async () => (await keysBelow(target, 'objects/')).length).toBeGreaterThanOrEqual(10);
  expect(await end()).toMatchObject({ copied: [{ newKeys: expect.any(Number) }] });
  vi.restoreAllMocks();
  expect(await keysBelow(target, 'objects/')).toHaveLength(20);
  expect(await isWhole(target)).toBe(true);
});

test('what a killed copy had staged, and its lease, go with the next copy; its backups keep their ids', async () => {
  const { source, target, backup, owner, end } = await beginCopy();
  await expect.poll(async () => (await keysBelow(target, 'objects/')).length).toBeGreaterThanOrEqual(10);
  // As if its process had ended: what it has written stays, and is that of nobody.
  const folder = await fastFolder();
  const dead = new PathBackend(folder);
  for (const key of await keysBelow(target, '')) await dead.put(key, await target.get(key));
  const anHourAgo = new Date(Date.now() - 3_600_000);
  for (const key of await keysBelow(dead, 'leases/')) utimesSync(join(folder, key), anHourAgo, anHourAgo);
  await end();
  vi.restoreAllMocks();
  await dead.put(`incoming/${owner.run}/copy/0`, Buffer.from('staged'));

  const cleared: string[] = [];
  const again = await (
    await openOnBackend(dead)
  ).copyFrom(source.repo, {
    owner: ownerOf(nextBackupId()),
    onCleared: ({ runs, leases }) => cleared.push(...runs, ...leases.map((lease) => lease.kind)),
  });
  expect(again.copied.map(({ id }) => id)).toEqual([backup.id]);
  expect(cleared).toEqual([owner.run, 'write']);
  expect((await keysBelow(dead, 'incoming/')).filter((key) => key.includes(owner.run))).toEqual([]);
  expect(await isWhole(dead)).toBe(true);
});

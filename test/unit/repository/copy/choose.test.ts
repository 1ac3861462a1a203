import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import type { CopyOptions } from '../../../../src/repository/copy/job.ts';
import { manifestKey, objectKey } from '../../../../src/repository/format/names.ts';
import type { Manifest, Repository } from '../../../../src/repository/index.ts';
import { listLeases } from '../../../../src/repository/lease/index.ts';
import { openOnBackend } from '../../../../src/repository/repository.ts';
import { backUp, memoryRepository } from '../support/repository.ts';
import { Participant, withCalls } from '../support/step-backend.ts';

const OWNER = { run: 'copy-1', host: 'h', pid: 1 };

interface Scene {
  backend: MemoryBackend;
  source: Repository;
  target: Repository;
  /** Oldest first. */
  backups: Manifest[];
}

async function scene(): Promise<Scene> {
  const { repo: source, backend } = await memoryRepository();
  const backups: Manifest[] = [];
  for (const n of [1, 2, 3, 4]) backups.push(await backUp(source, { a: `only ${n}`, b: 'shared' }));
  return { backend, source, target: (await memoryRepository()).repo, backups };
}

/** Copies, and tells which were left out, and why. */
async function copyAll({ source, target }: Scene, options: Partial<CopyOptions>) {
  const leftOut: [string, string][] = [];
  const onLeftOut = (id: string, why: { code: string }): void => void leftOut.push([id, why.code]);
  const ended = await target.copyFrom(source, { owner: OWNER, onLeftOut, ...options }).catch((e: unknown) => e);
  return { ended, leftOut, there: (await target.list()).map((b) => b.id) };
}

test('the last n are the newest n that are COMPLETE: a torn one is named and an older one takes its place', async () => {
  const s = await scene();
  const [, second, third, fourth] = s.backups.map((b) => b.id) as [string, string, string, string];
  s.backend.contents.set(manifestKey(fourth), Buffer.from('{}'));
  const dry = await copyAll(s, { last: 2, dryRun: true });
  expect(dry).toMatchObject({
    ended: { code: 'damage-found', context: { planned: [second, third] } },
    leftOut: [[fourth, 'manifest-damaged']],
    there: [],
  });
  const ran = await copyAll(s, { last: 2 });
  expect(ran).toMatchObject({
    ended: { code: 'damage-found', exitCode: 4, context: { backups: [fourth], copied: [second, third] } },
    leftOut: [[fourth, 'manifest-damaged']],
    there: [third, second],
  });
});

test('one that turns out to be damaged while it is copied does not count either', async () => {
  const s = await scene();
  const [first, second, third, fourth] = s.backups.map((b) => b.id) as [string, string, string, string];
  for (const n of [4, 2]) s.backend.contents.delete(objectKey(hash('sha256', `only ${n}`), 'raw'));
  const ran = await copyAll(s, { last: 2 });
  expect(ran.leftOut).toEqual([
    [fourth, 'damage-found'],
    [second, 'damage-found'],
  ]);
  expect(ran.ended).toMatchObject({ context: { backups: [fourth, second], copied: [third, first], there: [] } });
  expect(ran.there).toEqual([third, first]);
  expect(await s.source.leases()).toEqual([]);
});

test('what the target has counts among the last n', async () => {
  const s = await scene();
  const [, , third, fourth] = s.backups.map((b) => b.id) as [string, string, string, string];
  await copyAll(s, { ids: [fourth] });
  const ran = await copyAll(s, { last: 2 });
  expect(ran.ended).toMatchObject({ copied: [{ from: third }], there: [fourth] });
});

test.each([{}, { last: 1 }, { ids: true }])(
  'a manifest is read under a lease that holds its backup (%o)',
  async (how) => {
    const s = await scene();
    const newest = s.backups.at(-1)!.id;
    const watched = new Participant(s.backend);
    const pause = watched.pauseBefore((call) => call.op === 'get' && call.key === manifestKey(newest));
    const options = 'ids' in how ? { ids: [newest] } : how;
    const copying = s.target.copyFrom(await openOnBackend(watched.backend), { owner: OWNER, ...options });
    await pause.reached;
    const held = (await listLeases(s.backend)).filter((l) => l.kind === 'read').flatMap((l) => l.backups);
    expect(held).toContain(newest);
    pause.resume();
    await copying;
    expect(await listLeases(s.backend)).toEqual([]);
  },
);

test('while it copies only what it copies is kept from a forget', async () => {
  const s = await scene();
  const [first, , , fourth] = s.backups.map((b) => b.id) as [string, string, string, string];
  const watched = new Participant(s.backend);
  const pause = watched.pauseBefore((call) => call.op === 'get' && call.key.startsWith('objects/'));
  const copying = s.target.copyFrom(await openOnBackend(watched.backend), { owner: OWNER, last: 1 });
  await pause.reached;
  await s.source.forget({ owner: OWNER, ids: [first], minimum: 0 });
  await expect(s.source.forget({ owner: OWNER, ids: [fourth], minimum: 0 })).rejects.toMatchObject({ code: 'locked' });
  pause.resume();
  expect(await copying).toMatchObject({ copied: [{ from: fourth }] });
});

test('a copy that fails leaves nothing staged, also of what was still being brought', async () => {
  const { repo: source, backend } = await memoryRepository();
  await backUp(source, Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, `content ${i}`])));
  let slow!: () => void;
  const waiting = new Promise<void>((resolve) => (slow = resolve));
  let gets = 0;
  const failing = withCalls(backend, {
    get: async (key) => {
      if (!key.startsWith('objects/')) return backend.get(key);
      if (gets++ === 0) throw new Error('no answer');
      await waiting;
      return backend.get(key);
    },
  });
  const target = await memoryRepository();
  const copying = target.repo.copyFrom(await openOnBackend(failing), { owner: OWNER });
  setTimeout(slow, 50);
  await expect(copying).rejects.toThrow('no answer');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([...target.backend.contents.keys()].filter((key) => key.startsWith('incoming/'))).toEqual([]);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { leaseKey, manifestKey, revocationKey, sweepKey } from '../../../../src/repository/format/names.ts';
import { acquireLease, listLeases, unlock, type LeaseKind } from '../../../../src/repository/lease/index.ts';
import { processMark } from '../../../../src/repository/lease/owner-process.ts';
import { nextBackupId } from '../support/repository.ts';
import {
  DEAD,
  dropManifest,
  isWhole,
  objectsOf,
  onEachBackend,
  open,
  ownerOf,
  pruneOn,
  Writer,
} from '../support/races.ts';
import { Participant } from '../support/step-backend.ts';

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: { code: string }) => error.code,
  );

onEachBackend('leases', (make) => {
  const hold = (backend: Backend, kind: LeaseKind, options: object = {}) =>
    acquireLease(backend, kind, ownerOf(nextBackupId()), { backups: [nextBackupId()], ...options });

  test.each<[LeaseKind, LeaseKind, string]>([
    ['write', 'write', 'fine'],
    ['write', 'delete', 'fine'],
    ['delete', 'write', 'fine'],
    ['read', 'delete', 'fine'],
    ['delete', 'delete', 'locked'],
    ['restore', 'write', 'locked'],
    ['write', 'restore', 'locked'],
    ['restore', 'restore', 'locked'],
    ['restore', 'delete', 'fine'],
  ])('beside %s, %s is %s', async (held, wanted, outcome) => {
    const backend = await make();
    const first = await hold(backend, held);
    const second = hold(backend, wanted);
    expect(await codeOf(second)).toBe(outcome);
    // Who was refused leaves nothing behind, and who was there is not disturbed.
    expect((await listLeases(backend)).map((l) => l.kind).sort()).toEqual(
      (outcome === 'fine' ? [held, wanted] : [held]).sort(),
    );
    await first.assertHeld();
    if (outcome === 'locked') {
      await expect(second).rejects.toMatchObject({ context: { lease: first.id, owner: first.owner } });
    } else await (await second).release();
    await first.release();
    expect(await listLeases(backend)).toEqual([]);
  });

  test('of writers that use the staging repository one is let in; others are beside it', async () => {
    const backend = await make();
    const first = await hold(backend, 'write', { staging: true });
    const copy = await hold(backend, 'write');
    await expect(hold(backend, 'write', { staging: true })).rejects.toMatchObject({
      code: 'locked',
      exitCode: 11,
      message: `another backup of this cluster is under way: ${first.owner.run} of h (pid 1)`,
      hint: expect.stringContaining(`skep unlock ${first.id}`),
      context: { lease: first.id },
    });
    await first.assertHeld();
    await first.release();
    await (await hold(backend, 'write', { staging: true })).release();
    await copy.release();
  });

  test('of two backups that begin at the same instant one is let in', async () => {
    const backend = await make();
    const both = await Promise.allSettled([1, 2].map(() => hold(backend, 'write', { staging: true })));
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await listLeases(backend)).toHaveLength(1);
  });

  test('a backup whose process was killed here is over at once, and can publish no more', async () => {
    const backend = await make();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child, 'spawn');
    const killed = await hold(backend, 'write', { staging: true });
    const lease = JSON.parse((await backend.get(leaseKey(killed.id))).toString('utf8')) as { backups: string[] };
    await killed.leave();
    const itsOwn = Buffer.from(JSON.stringify({ ...lease, process: processMark(child.pid) }));
    await backend.put(leaseKey(killed.id), itsOwn, { overwrite: true });
    expect(await codeOf(hold(backend, 'write', { staging: true }))).toBe('locked');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await hold(backend, 'write', { staging: true });
    expect((await listLeases(backend)).map(({ id }) => id)).toEqual([next.id]);
    const place = manifestKey(lease.backups[0] as string);
    expect(await backend.put(place, Buffer.from('{}'))).toBe('exists');
    await next.release();
  });

  test('of many prunes that begin at once at most one gets the lease', async () => {
    const backend = await make();
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => hold(backend, 'delete')));
    const won = results.filter((r) => r.status === 'fulfilled');
    expect(won.length).toBeLessThanOrEqual(1);
    expect(await listLeases(backend)).toHaveLength(won.length);
  });

  test('a restore and a backup that begin at once do not both go on', async () => {
    const backend = await make();
    const kinds = ['restore', 'write', 'restore', 'write'] as const;
    const results = await Promise.allSettled(kinds.map((kind) => hold(backend, kind)));
    const won = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value.kind] : []));
    expect(new Set(won).size).toBeLessThanOrEqual(1);
    expect(won.filter((kind) => kind === 'restore').length).toBeLessThanOrEqual(1);
  });

  test('a dead prune is taken over, and what it comes back for is refused', async () => {
    const backend = await make();
    const dead = await hold(backend, 'delete');
    const second = await hold(backend, 'delete', DEAD);
    await expect(dead.assertHeld()).rejects.toMatchObject({ code: 'locked' });
    await second.assertHeld();
    expect(await backend.sizes([leaseKey(dead.id), revocationKey(dead.id)])).toEqual([undefined, expect.any(Number)]);
    // Its sweep can never begin: the place of the record is taken.
    expect(await backend.put(sweepKey(dead.id), Buffer.from('x'))).toBe('exists');
    await second.release();
  });

  test('a restore that has fallen silent still keeps backups away, until the same run goes on or it is unlocked', async () => {
    const backend = await make();
    const owner = ownerOf(nextBackupId());
    const backups = [nextBackupId()];
    const killed = await acquireLease(backend, 'restore', owner, { backups });
    await killed.leave();
    await expect(hold(backend, 'write', DEAD)).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(backups[0] as string),
      hint: expect.stringContaining(`skep unlock ${killed.id}`),
    });
    const resumed = await acquireLease(backend, 'restore', owner, { backups });
    await resumed.leave();
    expect((await listLeases(backend)).map((l) => l.id)).toEqual([resumed.id]);
    await expect(unlock(backend, [resumed.id], { by: 'test' })).rejects.toMatchObject({ code: 'locked' });
    await unlock(backend, [resumed.id], { by: 'test', force: true });
    await (await hold(backend, 'write')).release();
  });

  test('unlock takes a lease from an owner that is alive only by force, and that owner then cannot publish', async () => {
    const backend = await make();
    const writer = await (await Writer.on(backend)).begin();
    const part = await writer.store(['a']);
    await expect(unlock(backend, [writer.lease.id], { by: 'test' })).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('pid 1'),
    });
    expect(await unlock(backend, [writer.lease.id], { by: 'test', force: true })).toMatchObject([
      { id: writer.lease.id },
    ]);
    await expect(writer.publish(part)).rejects.toMatchObject({ code: 'locked' });
    await expect(unlock(backend, ['f'.repeat(32)], { by: 'test' })).rejects.toMatchObject({ code: 'usage' });
    expect(await (await open(backend)).list()).toEqual([]);
  });

  test('a lease that cannot be read stops prunes and is removed only by force', async () => {
    const backend = await make();
    const id = 'a'.repeat(32);
    await backend.put(leaseKey(id), Buffer.from('{torn'));
    await expect(pruneOn(backend)).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining(`unlock ${id} --force`),
    });
    await expect(unlock(backend, [id], { by: 'test' })).rejects.toMatchObject({ code: 'locked' });
    await unlock(backend, [id], { by: 'test', force: true });
    expect(await pruneOn(backend)).toMatchObject({ objects: 0 });
  });
});

onEachBackend('two backups at once', (make) => {
  test('both publish what they share, in any order', async () => {
    const backend = await make();
    const [first, second] = await Promise.all([Writer.on(backend), Writer.on(backend)]);
    await Promise.all([first.begin(), second.begin()]);
    const parts = await Promise.all([first.store(['a', 'shared']), second.store(['b', 'shared'])]);
    await second.publish(parts[1]);
    await second.end();
    await first.publish(parts[0]);
    await first.end();
    expect(await (await open(backend)).list()).toHaveLength(2);
    expect(await objectsOf(backend)).toHaveLength(3);
    expect(await isWhole(backend)).toBe(true);
  });

  test('one that is paused before it publishes is not disturbed by another', async () => {
    const backend = await make();
    const participant = new Participant(backend);
    const slow = await (await Writer.on(participant.backend)).begin();
    const part = await slow.store(['a', 'shared']);
    const pause = participant.pauseBefore((c) => c.op === 'put' && c.key.endsWith('manifest.json'));
    const publishing = slow.publish(part);
    await pause.reached;
    await Writer.backUp(backend, ['b', 'shared']);
    pause.resume();
    await publishing;
    await slow.end();
    expect(await (await open(backend)).list()).toHaveLength(2);
    expect(await isWhole(backend)).toBe(true);
  });
});

onEachBackend('prune beside prune', (make) => {
  async function withGarbage(): Promise<Backend> {
    const backend = await make();
    const old = await Writer.backUp(backend, ['old', 'older']);
    await Writer.backUp(backend, ['kept']);
    await dropManifest(backend, old.id);
    return backend;
  }

  test('the second one is refused while the first one is paused, and names it', async () => {
    const backend = await withGarbage();
    const first = new Participant(backend);
    const pause = first.pauseBefore((call) => call.op === 'take');
    const owner = { run: 'first', host: 'far', pid: 7 };
    const pruning = pruneOn(first.backend, { owner });
    await pause.reached;
    await expect(pruneOn(backend)).rejects.toMatchObject({ code: 'locked', context: { owner } });
    pause.resume();
    expect(await pruning).toMatchObject({ objects: 2 });
  });

  test.each(['take', 'empty'])(
    'a first one that is paused before %s and taken for dead is refused when it comes back',
    async (op) => {
      const backend = await withGarbage();
      const first = new Participant(backend);
      const pause = first.pauseBefore((call) => call.op === op);
      const pruning = codeOf(pruneOn(first.backend));
      await pause.reached;
      expect(await pruneOn(backend, DEAD)).toMatchObject({ objects: 2 });
      // What the dead one wanted is there again, and is needed.
      await Writer.backUp(backend, ['old', 'older']);
      pause.resume();
      expect(await pruning).toBe('locked');
      expect(await isWhole(backend)).toBe(true);
      expect(await objectsOf(backend)).toHaveLength(3);
      expect(await listLeases(backend)).toEqual([]);
    },
  );
});

onEachBackend('restore beside prune', (make) => {
  test('a prune goes on beside a slow restore and keeps all that it reads', async () => {
    const backend = await make();
    const old = await Writer.backUp(backend, ['old']);
    const { id } = await Writer.backUp(backend, ['restored', 'old']);
    await Writer.backUp(backend, ['young']);
    const lease = await acquireLease(backend, 'restore', ownerOf(nextBackupId()), { backups: [id] });
    await dropManifest(backend, old.id);
    expect(await pruneOn(backend, { wait: false })).toMatchObject({ objects: 0, pieces: 2, backups: 2 });
    expect(await isWhole(backend)).toBe(true);
    await lease.release();
  });

  test('a prune waits for the restore of a backup that was forgotten meanwhile, also a silent one', async () => {
    const backend = await make();
    const { id } = await Writer.backUp(backend, ['restored']);
    await Writer.backUp(backend, ['young']);
    const lease = await acquireLease(backend, 'restore', ownerOf(nextBackupId()), { backups: [id] });
    await dropManifest(backend, id);
    await expect(pruneOn(backend, { wait: false, ...DEAD })).rejects.toMatchObject({ code: 'locked' });
    const waitedFor: string[] = [];
    const pruning = pruneOn(backend, { onWait: (leases) => waitedFor.push(...leases.map((l) => l.kind)) });
    await expect.poll(() => waitedFor).toEqual(['restore']);
    expect(await objectsOf(backend)).toHaveLength(2);
    await lease.release();
    expect(await pruning).toMatchObject({ objects: 1 });
  });

  test('a restore that begins between the marking and the sweep is waited for', async () => {
    const backend = await make();
    const { id } = await Writer.backUp(backend, ['restored']);
    await Writer.backUp(backend, ['young']);
    const sweeper = new Participant(backend);
    await dropManifest(backend, id);
    const pause = sweeper.pauseBefore((call) => call.op === 'list' && call.key === 'backups/');
    const pruning = pruneOn(sweeper.backend, { wait: false });
    await pause.reached;
    // It had read the manifest just before that was forgotten.
    const lease = await acquireLease(backend, 'restore', ownerOf(nextBackupId()), { backups: [id] });
    pause.resume();
    expect(await codeOf(pruning)).toBe('locked');
    expect(await objectsOf(backend)).toHaveLength(2);
    await lease.release();
  });
});

describe('the age of a lease', () => {
  test('is told by the clock of the storage, not by the one of its owner', async () => {
    const { MemoryBackend } = await import('../../../../src/repository/backend/memory-backend.ts');
    const target = new MemoryBackend();
    const behind = await acquireLease(target, 'delete', ownerOf('r'));
    const lie = JSON.parse((target.contents.get(leaseKey(behind.id)) as Buffer).toString()) as object;
    const longAgo = new Date(0).toISOString();
    target.contents.set(leaseKey(behind.id), Buffer.from(JSON.stringify({ ...lie, heartbeatAt: longAgo })));
    expect(await listLeases(target)).toMatchObject([{ stale: true }]);
    target.list = async function* list(prefix) {
      for (const [key, { length: size }] of target.contents) {
        if (key.startsWith(prefix)) yield { key, size, modifiedMs: 1_000_000 };
      }
    };
    const own = await acquireLease(target, 'read', ownerOf('o'), { backups: ['b'] });
    expect((await listLeases(target, { own: own.id })).find((l) => l.id === behind.id)).toMatchObject({
      stale: false,
      silentMs: 0,
    });
    await expect(acquireLease(target, 'delete', ownerOf('p'))).rejects.toMatchObject({ code: 'locked' });
  });
});

import { expect, test } from 'vitest';
import { harmOf } from '../../../../src/repository/lease/harm.ts';
import { acquireLease, type LeaseKind, showLeases, unlock } from '../../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { LockingBackend } from '../support/memory-retention.ts';
import { dropManifest, isWhole, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { CLUSTER } from '../support/repository.ts';
import { Participant } from '../support/step-backend.ts';

const KINDS: LeaseKind[] = ['write', 'read', 'delete', 'restore'];
const LEASE = { id: 'a'.repeat(32), owner: ownerOf('r'), acquiredAt: '', heartbeatAt: '', silentMs: 0, revoked: false };

test('of each kind of lease it is said what taking it can harm', () => {
  const said = new Set<string>();
  for (const kind of KINDS) {
    for (const readable of [true, false]) {
      for (const binned of [true, false]) said.add(harmOf({ ...LEASE, kind, readable, backups: ['b'] }, binned));
    }
  }
  // Only what deletes, and what is not known, depends on the storage.
  expect(said.size).toBe(7);
  expect([...said].filter((text) => /no harm|harmless/.test(text))).toEqual([]);
});

/** A prune on a storage without bins, paused right before it deletes this content. */
async function pausedPrune(content: string) {
  const backend = new LockingBackend();
  await initOnBackend(backend, CLUSTER);
  const old = await Writer.backUp(backend, [content]);
  await Writer.backUp(backend, ['kept']);
  await dropManifest(backend, old.id);
  const sweeper = new Participant(backend);
  const pause = sweeper.pauseBefore((call) => call.op === 'deleteMany');
  const pruning = pruneOn(sweeper.backend).catch(() => undefined);
  await pause.reached;
  const [lease] = await showLeases(backend);
  return { backend, pause, pruning, lease };
}

test('a prune that only paused before its deletion does the harm that was told, where the storage has no bins', async () => {
  const { backend, pause, pruning, lease } = await pausedPrune('shared again later');
  expect(lease?.harm).toContain('still deletes contents that newer backups may need');
  await unlock(backend, [lease!.id], { by: 'a person', force: true });
  await Writer.backUp(backend, ['shared again later']);
  pause.resume();
  await pruning;
  expect(await isWhole(backend)).toBe(false);
});

test('a dry run takes nothing, and is refused as the run would be', async () => {
  const backend = new MemoryBackend();
  await initOnBackend(backend, CLUSTER);
  const lease = await acquireLease(backend, 'write', ownerOf('r'));
  const options = { by: 'a person', dryRun: true };
  await expect(unlock(backend, [lease.id], options)).rejects.toMatchObject({ code: 'locked' });
  expect(await unlock(backend, [lease.id], { ...options, force: true })).toMatchObject([{ id: lease.id }]);
  await lease.assertHeld();
  await lease.release();
});

test('an unlock that waits for a sweep to answer ends at a signal', async () => {
  const { backend, pause, pruning, lease } = await pausedPrune('old');
  await backend.put(`leases/${lease!.id}.revoked`, Buffer.from('{}'));
  const stop = new AbortController();
  const unlocking = unlock(backend, [lease!.id], { by: 'a person', signal: stop.signal });
  setTimeout(() => stop.abort(), 20);
  await expect(unlocking).rejects.toMatchObject({ code: 'cancelled' });
  pause.resume();
  await pruning;
});

import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import { companionKey, manifestKey, revocationKey, stopKey } from '../../../../src/repository/format/names.ts';
import { acquireLease } from '../../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';
import { DEAD, dropManifest, fastFolder, onEachBackend, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { CLUSTER, nextBackupId } from '../support/repository.ts';
import { Participant } from '../support/step-backend.ts';

async function keysOf(backend: Backend, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list(prefix)) keys.push(key);
  return keys.sort();
}

onEachBackend('what is left of a backup', (make) => {
  test('that was half forgotten goes with the next clearing, whole ones stay', async () => {
    const backend = await make();
    const { id } = await Writer.backUp(backend, ['a']);
    const kept = await Writer.backUp(backend, ['b']);
    await dropManifest(backend, id);
    expect(await pruneOn(backend)).toMatchObject({ cleared: { leftovers: 1 } });
    expect(await keysOf(backend, `backups/${id}/`)).toEqual([]);
    expect(await keysOf(backend, `backups/${kept.id}/`)).toHaveLength(4);
  });

  test('that is just being published stays; of one that was taken for dead only the fence does', async () => {
    const backend = await make();
    const participant = new Participant(backend);
    const writer = await (await Writer.on(participant.backend)).begin();
    const part = await writer.store(['a']);
    const pause = participant.pauseBefore((call) => call.op === 'put' && call.key === manifestKey(writer.run));
    const publishing = writer.publish(part).catch((error: unknown) => error);
    await pause.reached;
    const files = ['RESTORE.md', 'restore.sh'].map((file) => companionKey(writer.run, file));
    await expect(pruneOn(backend, { wait: false })).rejects.toMatchObject({ code: 'locked' });
    expect(await keysOf(backend, `backups/${writer.run}/`)).toEqual(files);
    await pruneOn(backend, DEAD);
    expect(await keysOf(backend, `backups/${writer.run}/`)).toEqual([manifestKey(writer.run)]);
    pause.resume();
    expect(await publishing).toMatchObject({ code: 'locked' });
    await writer.end();
  });
});

test('records of leases that were taken away go after a week, by the clock of the storage', async () => {
  const folder = await fastFolder();
  const backend = new PathBackend(folder);
  await initOnBackend(backend, CLUSTER);
  const [old, young] = ['a'.repeat(32), 'b'.repeat(32)];
  const records = [revocationKey(old), stopKey(old), revocationKey(young)];
  for (const key of records) await backend.put(key, Buffer.from('x'));
  const then = Date.now() / 1000 - 8 * 86_400;
  for (const key of records.slice(0, 2)) utimesSync(join(folder, key), then, then);
  expect(await pruneOn(backend)).toMatchObject({ cleared: { leftovers: 2 } });
  expect(await keysOf(backend, 'leases/')).toEqual([revocationKey(young)]);
});

test('an owner whose machine slept takes itself for dead although its own clock stood still', async () => {
  const backend = new PathBackend(await fastFolder());
  const lease = await acquireLease(backend, 'write', ownerOf(nextBackupId()));
  await lease.assertHeld();
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 11 * 60_000);
  try {
    await expect(lease.assertHeld()).rejects.toMatchObject({ code: 'locked' });
  } finally {
    vi.restoreAllMocks();
    await lease.release();
  }
});

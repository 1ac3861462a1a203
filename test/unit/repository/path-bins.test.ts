import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import { acquireLease } from '../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../src/repository/repository.ts';
import { fastFolder, ownerOf } from './support/races.ts';
import { CLUSTER, nextBackupId } from './support/repository.ts';

const [A, B] = ['a', 'b'].map((digit) => `objects/${digit.repeat(2)}/${digit.repeat(64)}`) as [string, string];
const OPEN_ELSEWHERE = '.nfs000000000001a2b300000001';

/** A bin with a key in it, and with a file of an NFS client beside it. */
async function scene() {
  const folder = await fastFolder();
  const backend = new PathBackend(folder);
  await initOnBackend(backend, CLUSTER);
  for (const key of [A, B]) await backend.put(key, Buffer.from(key));
  await backend.bins.open('L');
  await backend.bins.take('L', [A]);
  writeFileSync(join(folder, 'trash/L', OPEN_ELSEWHERE), 'open');
  return { folder, backend };
}

test('a bin with a file that is open elsewhere is emptied of keys only', async () => {
  const { folder, backend } = await scene();
  const deleted: string[] = [];
  await backend.bins.empty('L', { onDeleted: (key) => deleted.push(key) });
  expect(deleted).toEqual([A]);
  expect(readdirSync(join(folder, 'trash/L'))).toEqual([OPEN_ELSEWHERE]);
});

test('such a bin is closed: it gives back its keys, takes no more, and does not stand in the way of a writer', async () => {
  const { folder, backend } = await scene();
  const lease = await acquireLease(backend, 'write', ownerOf(nextBackupId()));
  await lease.release();
  expect((await backend.get(A)).toString()).toBe(A);
  await expect(backend.bins.take('L', [B])).rejects.toMatchObject({ code: 'locked' });
  expect((await backend.get(B)).toString()).toBe(B);
  const [left] = await backend.bins.list();
  expect(readdirSync(join(folder, 'trash', left as string))).toEqual([OPEN_ELSEWHERE]);
  expect(existsSync(join(folder, OPEN_ELSEWHERE))).toBe(false);

  // It is tried again, as long as it takes.
  await backend.bins.close(left as string);
  expect(await backend.bins.list()).toEqual([left]);
  rmSync(join(folder, 'trash', left as string, OPEN_ELSEWHERE));
  await backend.bins.close(left as string);
  expect(await backend.bins.list()).toEqual([]);
});

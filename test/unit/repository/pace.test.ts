import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { initRepository, Pace } from '../../../src/repository/index.ts';
import { CLUSTER, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const MIB = 1 << 20;

test.each([
  ['large files', [2 * MIB, 2 * MIB]],
  ['small ones', Array.from({ length: 40 }, () => 100_000)],
])('what several calls store of %s together keeps the pace', async (_, sizes) => {
  const folder = await temporaryFolder();
  const repo = await initRepository(join(folder, 'repo'), CLUSTER);
  const pace = new Pace(4 * MIB);
  const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', pace });
  const paths = await Promise.all(sizes.map((size, i) => writeTemporary(folder, `f${i}`, randomBytes(size))));
  const since = performance.now();
  await Promise.all(paths.map((path) => writer.putFile(path)));
  // A second's worth, less what may be ahead of its time.
  expect(performance.now() - since).toBeGreaterThan(800);
  await writer.close();
  expect(writer.totals.newObjects).toBe(sizes.length);
});

test('what is stored already costs no time', async () => {
  const folder = await temporaryFolder();
  const repo = await initRepository(join(folder, 'repo'), CLUSTER);
  const path = await writeTemporary(folder, 'f', randomBytes(2 * MIB));
  const first = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
  const { sha256 } = await first.putFile(path);
  await first.close();
  const pace = new Pace(1);
  const take = vi.spyOn(pace, 'take');
  const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', pace });
  expect(await writer.putFile(path, { expectSha256: sha256 })).toMatchObject({ isNew: false });
  expect(take).not.toHaveBeenCalled();
  await writer.close();
});

// First: it must see the filesystem before the product does.
import './support/file-steps.ts';
import { expect, test, vi } from 'vitest';
import { operation } from './support/crash-case.ts';
import { failpointsOf, type KillResult, killAtEach, prepareMatrix } from './support/kill-matrix.ts';
import { temporaryFolder } from './support/temporary.ts';

vi.setConfig({ testTimeout: 600_000 });

function told({ failpoint, complaints }: KillResult): string[] {
  const { step, occurrence, phase } = failpoint;
  return complaints.map((complaint) => `${phase} of ${step} (${occurrence}): ${complaint}`);
}

test('a backup that is killed at any kind of step loses no older one, shows no false one, and can be run again', async () => {
  const folder = await temporaryFolder();
  const op = operation('backup');
  await prepareMatrix(folder);
  const failpoints = await failpointsOf(folder, op, true);
  const results = await killAtEach(folder, op, failpoints);
  const done = results.filter((result) => result.done).length;
  console.log(`${op.name}: killed at ${failpoints.length} failpoints, at ${done} of them after it was published`);
  expect(results.flatMap(told)).toEqual([]);
  expect(failpoints.length).toBeGreaterThan(50);
});

test('a manifest that is there before its objects is seen to be false', async () => {
  const folder = await temporaryFolder();
  const op = operation('hasty backup');
  await prepareMatrix(folder);
  const failpoints = await failpointsOf(folder, op, true);
  const objects = failpoints.filter(({ step, phase }) => step.startsWith('write objects/') && phase === 'begin');
  const results = await killAtEach(folder, op, objects);
  expect(results.length).toBeGreaterThan(0);
  for (const { complaints } of results) expect(complaints.join('\n')).toMatch(/verify: object-(missing|truncated)/);
});

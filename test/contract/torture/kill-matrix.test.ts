// First: it must see the filesystem before the product does.
import './support/file-steps.ts';
import { expect, test, vi } from 'vitest';
import { failpointsOf, killAtEach, oneSide } from './support/kill-matrix.ts';
import { operation } from './support/operations.ts';
import { pathGround, preparePath } from './support/path-ground.ts';
import { FEW, told } from './support/report.ts';
import { temporaryFolder } from './support/temporary.ts';

vi.setConfig({ testTimeout: 1_200_000 });

test.each([
  ['backup', 40],
  ['forget', 10],
  ['prune', 30],
  ['copy', 15],
])(
  'a %s that is killed at any kind of step loses no backup, shows no false one, leaks nothing and can be run again',
  async (name, least) => {
    const folder = await temporaryFolder();
    const op = operation(name);
    const all = failpointsOf(await preparePath(folder, op), FEW);
    // A copy stores and publishes by the same steps as a backup.
    const failpoints = FEW && name === 'copy' ? oneSide(all) : all;
    const results = await killAtEach(folder, op, failpoints, pathGround);
    expect(told(op, 'a path', results)).toEqual([]);
    expect(failpoints.length).toBeGreaterThan(least);
  },
);

test('a manifest that is there before its objects is seen to be false', async () => {
  const folder = await temporaryFolder();
  const op = operation('hasty backup');
  const failpoints = failpointsOf(await preparePath(folder, op), true);
  const objects = failpoints.filter(({ step, phase }) => step.startsWith('write objects/') && phase === 'begin');
  const results = await killAtEach(folder, op, objects, pathGround);
  expect(results.length).toBeGreaterThan(0);
  for (const { complaints } of results) expect(complaints.join('\n')).toMatch(/verify: object-(missing|truncated)/);
});

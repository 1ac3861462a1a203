import { expect, test } from 'vitest';
import { refuseLost } from '../../../src/run/lost-attachments.ts';

const NOW_MS = 1_800_000_000_000;
/** Twenty seconds ago. */
const o = { T: BigInt(NOW_MS - 20_000) * 1000n + 1n, lingerMs: 10_000, location: 's3://b', nowMs: NOW_MS };
const lost = (path: string, agoMs: number) => ({ path, agoMs });

test('an attachment that was gone longer before T than a commit takes is nothing that a graph at T refers to', () => {
  expect(() => refuseLost([], o)).not.toThrow();
  expect(() => refuseLost([lost('attachment/a', 30_001)], o)).not.toThrow();
});

test('any other may be, and is named', () => {
  for (const agoMs of [0, 20_000, 29_999]) {
    expect(() => refuseLost([lost('attachment/a', 40_000), lost('attachment/b', agoMs)], o)).toThrow(
      expect.objectContaining({ code: 'backup-incomplete', context: { location: 's3://b', lost: ['attachment/b'] } }),
    );
  }
});

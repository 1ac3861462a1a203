import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstToPin, segmentsOf } from '../../../src/cut/segment-name.ts';

const named = (ids: readonly bigint[]) => ids.map((id) => `CommitLog-7-${id}.log`);

describe('the name of a segment', () => {
  test('is no other file that lies in a commit log folder', () => {
    for (const name of [
      'CommitLog-7-1_cdc.idx',
      'CommitLog-7-1.log.tmp',
      'xCommitLog-7-1.log',
      'CommitLog-7.log',
      'CommitLog-7-.log',
      '',
      'skep-pins',
    ]) {
      expect(segmentsOf([name, 'CommitLog-8-5.log'])).toEqual([{ name: 'CommitLog-8-5.log', id: 5n }]);
    }
  });

  test('puts them in the order of their ids, not of their letters', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.bigInt({ min: 0n, max: 1n << 62n })), (ids) => {
        const sorted = [...ids].sort((a, b) => (a < b ? -1 : 1));
        expect(segmentsOf(['other', ...named(ids)]).map((s) => s.id)).toEqual(sorted);
      }),
    );
  });
});

describe('the first segment to pin', () => {
  test('is the one before the newest, which may only be prepared; the only one; none of none', () => {
    expect(firstToPin(segmentsOf(named([3n, 1n, 2n])))?.id).toBe(2n);
    expect(firstToPin(segmentsOf(named([3n])))?.id).toBe(3n);
    expect(firstToPin([])).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import { sideBody } from '../../../../lab/load/side-table.ts';
import { checkSideRows, expectedRow } from '../../../../lab/proof/side-check.ts';

const ROW = { id: '1-1', runStartedAtUs: 0, sentAtUs: 10, ackedAtUs: 20 };

describe('a row of the side table', () => {
  test.each([
    ['acknowledged before T', [], 50, 'required'],
    ['sent after T', [], 5, 'forbidden'],
    ['in flight at T', [], 15, 'open'],
    ['truncated before T', [{ beganAtUs: 30, endedAtUs: 40 }], 50, 'forbidden'],
    ['truncated after T', [{ beganAtUs: 60, endedAtUs: 70 }], 50, 'required'],
    ['truncated before it was sent', [{ beganAtUs: 1, endedAtUs: 5 }], 50, 'required'],
    ['written while a truncation ran', [{ beganAtUs: 15, endedAtUs: 40 }], 50, 'open'],
    ['truncated while T passed', [{ beganAtUs: 30, endedAtUs: 60 }], 50, 'open'],
    ['maybe truncated: nobody knows', [{ beganAtUs: 30, endedAtUs: undefined }], 50, 'open'],
  ] as const)('%s', (_name, truncations, T, expected) => {
    expect(expectedRow({ truncations: [...truncations], restores: [] }, ROW, T)).toBe(expected);
  });

  test('that an earlier restore took away stays away', () => {
    const ledger = { rows: [ROW], truncations: [], restores: [{ T: 5, atUs: 100 }] };
    expect(checkSideRows(ledger, 200n, new Map())).toMatchObject({ forbidden: 1, missing: [], extra: [] });
    expect(checkSideRows(ledger, 200n, new Map([['1-1', sideBody('1-1')]])).extra).toEqual(['1-1']);
  });

  test('comes back with a restore to before its truncation, and goes with a truncation after the restore', () => {
    const restores = [{ T: 25, atUs: 100 }];
    expect(expectedRow({ truncations: [{ beganAtUs: 30, endedAtUs: 40 }], restores }, ROW, 200)).toBe('required');
    expect(expectedRow({ truncations: [{ beganAtUs: 130, endedAtUs: 140 }], restores }, ROW, 200)).toBe('forbidden');
    expect(expectedRow({ truncations: [{ beganAtUs: 22, endedAtUs: 40 }], restores }, ROW, 200)).toBe('open');
  });

  test('is found when it is lost, not whole or foreign', () => {
    const ledger = { rows: [ROW], truncations: [], restores: [] };
    expect(checkSideRows(ledger, 50n, new Map([['1-1', sideBody('1-1')]]))).toMatchObject({
      required: 1,
      missing: [],
      extra: [],
    });
    expect(checkSideRows(ledger, 50n, new Map()).missing).toHaveLength(1);
    expect(checkSideRows(ledger, 50n, new Map([['1-1', 'half']])).missing).toHaveLength(1);
    expect(checkSideRows(ledger, 5n, new Map([['1-1', sideBody('1-1')]])).extra).toHaveLength(1);
    expect(
      checkSideRows(
        ledger,
        50n,
        new Map([
          ['9-9', 'x'],
          ['1-1', sideBody('1-1')],
        ]),
      ).extra,
    ).toHaveLength(1);
  });
});

import { describe, expect, test } from 'vitest';
import { judgeRepairs, replicasOf } from '../../../src/checks/last-repair.ts';
import { repairedSince } from '../../../src/drivers/cassandra/repair-history.ts';
import { RingCover } from '../../../src/drivers/cassandra/token-ring.ts';

const DAY = 86_400_000;

describe('a ring', () => {
  const cover = (...ranges: string[]) => {
    const c = new RingCover();
    c.add(ranges);
    return c.whole;
  };

  test('is covered by ranges that meet, around its end too', () => {
    expect(cover('(0,10]', '(10,-5]', '(-5,0]')).toBe(true);
    expect(cover('(3,3]')).toBe(true);
  });

  test('is not covered when a token is left out', () => {
    expect(cover('(0,10]', '(11,0]')).toBe(false);
    expect(cover('(0,10]')).toBe(false);
    expect(cover()).toBe(false);
  });
});

test('one replica needs no repair, one in each of two datacenters do', () => {
  expect(replicasOf({ class: 'SimpleStrategy', replication_factor: '1' })).toBe(1);
  expect(replicasOf({ class: 'NetworkTopologyStrategy', dc1: '1', dc2: '1' })).toBe(2);
});

describe('the last repair', () => {
  const repair = (startedMs: number, tables: string[], ...ranges: string[]) => ({ startedMs, tables, ranges });

  test('is as old as the oldest part that is needed to cover the ring', () => {
    const repairs = [
      repair(1, ['a'], '(0,10]'),
      repair(5, ['a'], '(10,20]'),
      repair(3, ['a'], '(20,0]'),
      repair(4, ['a'], '(0,10]'),
    ];
    expect(repairedSince(repairs, ['a', 'b'])).toEqual(new Map([['a', 3], ['b', undefined]])); // prettier-ignore
  });

  const tables = [
    { name: 'a', graceMs: 10 * DAY },
    { name: 'b', graceMs: 10 * DAY },
  ];
  const now = 100 * DAY;

  test('passes within gc_grace_seconds of every table', () => {
    const since = new Map([['a', now - DAY], ['b', now - 3 * DAY]]); // prettier-ignore
    expect(judgeRepairs(tables, since, now)).toEqual({
      verdict: 'pass',
      seen: '2 tables, the oldest repair 3 days ago',
    });
  });

  test('is a warning when it is older, or when there was none', () => {
    const late = new Map([['a', now - DAY], ['b', now - 11 * DAY]]); // prettier-ignore
    expect(judgeRepairs(tables, late, now)).toMatchObject({
      verdict: 'warn',
      seen: '1 table repaired longer ago than gc_grace_seconds (10 days): last 11 days ago',
      cure: 'skep check --fix repair',
    });
    expect(judgeRepairs(tables, new Map([['a', now]]), now).seen).toMatch(/: b$/);
    expect(judgeRepairs(tables, new Map(), now).seen).toMatch(/^no table/);
  });
});

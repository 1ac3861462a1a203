import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyRules, hasRule } from '../../../../src/repository/retention/rules.ts';

const at = (text: string) => ({ id: text, atMs: Date.parse(`${text}Z`) });

/** Ids that are kept, newest first. */
function kept(times: readonly string[], rules: Parameters<typeof applyRules>[1]): string[] {
  return [...applyRules(times.map(at), rules)].filter(([, reasons]) => reasons.length > 0).map(([id]) => id);
}

const TWO_A_DAY = ['2026-11-20T03:00', '2026-11-20T15:00', '2026-11-21T03:00', '2026-11-21T15:00', '2026-11-22T03:00'];

describe('rules keep', () => {
  test('the last ones', () => {
    expect(kept(TWO_A_DAY, { last: 2 })).toEqual(['2026-11-22T03:00', '2026-11-21T15:00']);
  });

  test('the newest of each of so many days, whatever days are empty', () => {
    expect(kept(TWO_A_DAY, { daily: 2 })).toEqual(['2026-11-22T03:00', '2026-11-21T15:00']);
    expect(kept(['2026-01-01T00:00', '2026-06-01T00:00', ...TWO_A_DAY], { daily: 4 })).toEqual([
      '2026-11-22T03:00',
      '2026-11-21T15:00',
      '2026-11-20T15:00',
      '2026-06-01T00:00',
    ]);
  });

  test('the newest of each hour, ISO week and month, in UTC', () => {
    expect(kept(['2026-11-22T03:10', '2026-11-22T03:50', '2026-11-22T04:00'], { hourly: 2 })).toEqual([
      '2026-11-22T04:00',
      '2026-11-22T03:50',
    ]);
    // Sunday the 22nd belongs to the week that Monday the 16th began; the year of a week is that of its Thursday.
    const weeks = ['2026-11-16T00:00', '2026-11-22T23:59', '2026-11-23T00:00'];
    expect(kept(weeks, { weekly: 2 })).toEqual(['2026-11-23T00:00', '2026-11-22T23:59']);
    expect([...applyRules([at('2027-01-03T12:00'), at('2027-01-04T12:00')], { weekly: 9 }).values()]).toEqual([
      ['weekly 2027-W01'],
      ['weekly 2026-W53'],
    ]);
    expect(kept(['2026-10-31T23:59', '2026-11-01T00:00'], { monthly: 1 })).toEqual(['2026-11-01T00:00']);
  });

  test('what is within a time of the newest backup, not of now', () => {
    expect(kept(TWO_A_DAY, { withinMs: 36 * 3_600_000 })).toEqual([
      '2026-11-22T03:00',
      '2026-11-21T15:00',
      '2026-11-21T03:00',
      '2026-11-20T15:00',
    ]);
  });

  test('what any of them keeps, and say why', () => {
    const reasons = applyRules(TWO_A_DAY.map(at), { last: 1, daily: 2, monthly: 3 });
    expect(Object.fromEntries(reasons)).toEqual({
      '2026-11-22T03:00': ['last 1', 'daily 2026-11-22', 'monthly 2026-11'],
      '2026-11-21T15:00': ['daily 2026-11-21'],
      '2026-11-21T03:00': [],
      '2026-11-20T15:00': [],
      '2026-11-20T03:00': [],
    });
  });

  test('the newest backup whatever they are, and no fewer when they ask for more', () => {
    const rule = fc.option(fc.nat(5), { nil: undefined });
    const rules = fc.record({ last: rule, hourly: rule, daily: rule, weekly: rule, monthly: rule });
    const times = fc.uniqueArray(fc.nat(400 * 86_400_000), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(times, rules, fc.constantFrom('last', 'hourly', 'daily', 'weekly', 'monthly'), (ms, given, more) => {
        const r = Object.fromEntries(Object.entries(given).filter(([, n]) => n !== undefined));
        const backups = ms.map((t) => ({ id: String(t), atMs: Date.UTC(2026, 0, 1) + t }));
        const names = (x: object) => [...applyRules(backups, x)].filter(([, why]) => why.length > 0).map(([id]) => id);
        const before = names(r);
        if (hasRule(r)) expect(before[0]).toBe(String(Math.max(...ms)));
        else expect(before).toEqual([]);
        expect(names({ ...r, [more]: ((r as Record<string, number>)[more] ?? 0) + 1 })).toEqual(
          expect.arrayContaining(before),
        );
      }),
      { numRuns: 300 },
    );
  });
});

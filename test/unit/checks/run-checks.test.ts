import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Check, CheckContext, CheckFinding } from '../../../src/checks/check.ts';
import { refusalOf } from '../../../src/checks/preflight.ts';
import { CHECKS } from '../../../src/checks/registry.ts';
import { runChecks } from '../../../src/checks/run-checks.ts';
import { SkepError } from '../../../src/errors.ts';
import type { SkepEvent } from '../../../src/events.ts';

// The checks below look at nothing but the signal.
const context = (signal = new AbortController().signal) => ({ signal }) as unknown as CheckContext;

function check(id: string, run: Check['run']): Check {
  return { id, title: `title of ${id}`, needs: 'report', run };
}

const good = (id: string) => check(id, async () => [{ verdict: 'pass', seen: 'well' }]);

describe('running checks', () => {
  test('findings and events keep the order of the checks, whichever ends first', async () => {
    const slow = check('slow', async () => {
      await delay(20);
      return [{ verdict: 'pass', seen: 'well' }];
    });
    const events: SkepEvent[] = [];
    const found = await runChecks(context(), [slow, good('fast')], { emit: (e) => events.push(e) });
    expect(found.map((f) => f.id)).toEqual(['slow', 'fast']);
    expect(events.map((e) => e.type === 'check' && e.id)).toEqual(['slow', 'fast']);
  });

  test('a check that cannot look is a failure with its reason and code; the others run', async () => {
    const blind = check('blind', () => Promise.reject(new SkepError('no-space', 'nothing to see', { hint: 'Do it.' })));
    const found = await runChecks(context(), [blind, good('b')]);
    expect(found).toMatchObject([
      { id: 'blind', verdict: 'fail', code: 'no-space', seen: 'could not look: nothing to see', cure: 'Do it.' },
      { id: 'b', verdict: 'pass' },
    ]);
  });

  test('only those named are run; an unknown name is a usage error', async () => {
    const found = await runChecks(context(), [good('a'), good('b')], { only: ['b'] });
    expect(found.map((f) => f.id)).toEqual(['b']);
    await expect(runChecks(context(), [good('a')], { only: ['x'] })).rejects.toMatchObject({ code: 'usage' });
  });

  test('at most three look at the same time', async () => {
    let [now, most] = [0, 0];
    const counted = Array.from({ length: 9 }, (_, i) =>
      check(`c${i}`, async () => {
        most = Math.max(most, ++now);
        await delay(2);
        now--;
        return [];
      }),
    );
    await runChecks(context(), counted);
    expect(most).toBe(3);
  });

  test('cancelling ends it with the reason, after those that look have ended', async () => {
    const cancel = new AbortController();
    let ended = 0;
    const checks = ['a', 'b', 'c', 'd'].map((id) =>
      check(id, async () => {
        await delay(5);
        if (id === 'a') cancel.abort(new SkepError('cancelled', 'enough'));
        await delay(20);
        ended++;
        cancel.signal.throwIfAborted();
        return [];
      }),
    );
    await expect(runChecks(context(cancel.signal), checks)).rejects.toMatchObject({ code: 'cancelled' });
    expect(ended).toBe(3);
  });
});

describe('a refused preflight', () => {
  const finding = (o: Partial<CheckFinding>): CheckFinding => ({
    id: 'x',
    title: 't',
    verdict: 'fail',
    seen: 's',
    ...o,
  });

  test('is the typed error of the first failure, with all of them in its context', () => {
    const failures = [finding({ id: 'clocks', code: 'clock-skew', cure: 'mend it' }), finding({ id: 'y', node: 'n2' })];
    const error = refusalOf([finding({ verdict: 'warn' }), ...failures]);
    expect(error).toMatchObject({
      code: 'clock-skew',
      message: 'clocks: s (and 1 more)',
      hint: 'mend it',
      context: { failures },
    });
    expect(refusalOf([finding({ node: 'n2' })])).toMatchObject({ code: 'preflight-failed', message: 'x: n2: s' });
  });

  test('does not come from warnings', () => {
    expect(refusalOf([finding({ verdict: 'warn' }), finding({ verdict: 'pass' })])).toBeUndefined();
  });
});

test('every check has an id of its own, and a title', () => {
  expect(new Set(CHECKS.map((c) => c.id)).size).toBe(CHECKS.length);
  for (const c of CHECKS) expect(c.title).not.toBe('');
});

import { afterEach, describe, expect, test, vi } from 'vitest';
import { eventRenderer } from '../../../src/cli/render/events.ts';
import { reportError } from '../../../src/cli/render/report-error.ts';
import { micros, seconds, size } from '../../../src/cli/render/size.ts';
import { SkepError, type SkepEvent } from '../../../src/index.ts';

afterEach(() => vi.restoreAllMocks());

function caught() {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((s) => out.push(String(s)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((s) => err.push(String(s)) > 0);
  return { out, err };
}

describe('numbers', () => {
  test('of bytes are short', () => {
    expect([0, 999, 1000, 1_234_567, 123_456_789, 5e15, 5e18].map(size)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '1.2 MB',
      '123 MB',
      '5.0 PB',
      '5000 PB',
    ]);
  });

  test('of seconds are short, and never show sixty of anything', () => {
    expect([0.4, 59.4, 59.6, 95, 119.7, 3599.6, 3600, 7322].map(seconds)).toEqual([
      '0s',
      '59s',
      '1m00s',
      '1m35s',
      '2m00s',
      '1h00m',
      '1h00m',
      '2h02m',
    ]);
  });

  test('of microseconds keep all six digits', () => {
    expect(micros('1795400000000001')).toBe('2026-11-23T02:13:20.000001Z');
    expect(micros('1795400000123456')).toBe('2026-11-23T02:13:20.123456Z');
  });
});

describe('events', () => {
  const events: SkepEvent[] = [
    { type: 'run-started', command: 'backup', run: 'r1', cluster: 'prod' },
    { type: 'stage-started', stage: 'pin', text: 'pinning' },
    { type: 'stage-done', stage: 'pin', ms: 1500 },
    { type: 'warning', text: 'careful' },
    { type: 'plan', steps: [{ text: 'one', changes: true }] },
    { type: 'check', id: 'x', verdict: 'fail', title: 'the title', seen: 'seen', cure: 'the cure', node: 'n1' },
  ];

  test('are one line of JSON each on stdout, with the time', () => {
    const { out, err } = caught();
    for (const e of events) eventRenderer(true)(e);
    expect(err).toEqual([]);
    expect(out.every((l) => l.endsWith('\n') && l.indexOf('\n') === l.length - 1)).toBe(true);
    expect(out.map((l) => JSON.parse(l) as object)).toEqual(events.map((e) => ({ at: expect.any(String), ...e })));
  });

  test('are text on stderr for people, and stdout is left to the result', () => {
    const { out, err } = caught();
    const emit = eventRenderer(false);
    for (const e of events) emit(e);
    emit({ type: 'result', command: 'backup' });
    expect(out).toEqual([]);
    const text = err.join('');
    for (const part of [
      'backup r1 of prod',
      '- pinning',
      'pin: 2s',
      'warning: careful',
      '  1. one',
      'FAIL  the title (n1): seen',
      'cure: the cure',
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe('an error', () => {
  test('has its code and its hint for people, and all of it for machines', () => {
    const { out, err } = caught();
    const e = new SkepError('no-space', 'the disk is full', { context: { path: '/x' }, cause: new Error('ENOSPC') });
    reportError(e, false);
    expect(out).toEqual([]);
    expect(err.join('')).toBe(`skep: the disk is full [no-space]\n  ${e.hint}\n`);
    reportError(e, true);
    expect(JSON.parse(out.join(''))).toMatchObject({
      type: 'error',
      error: {
        code: 'no-space',
        message: 'the disk is full',
        hint: e.hint,
        retryable: false,
        context: { path: '/x' },
        cause: 'Error: ENOSPC',
      },
    });
  });
});

import { describe, expect, test } from 'vitest';
import { backoff, withRetry } from '../../../src/s3/retry.ts';

/** Fails so often, then gives its value. */
function failing(times: number, failure: () => Error = () => new Error('later')) {
  const waits: number[] = [];
  let calls = 0;
  const call = async () => {
    calls++;
    if (calls <= times) throw failure();
    return 'done';
  };
  const options = {
    isRetryable: (error: unknown) => (error as Error).message === 'later',
    attempts: () => 5,
    wait: async (ms: number) => void waits.push(ms),
  };
  return { call, options, waits, calls: () => calls };
}

describe('a call to the storage', () => {
  test('is repeated until it succeeds, later each time', async () => {
    const f = failing(4);
    expect(await withRetry(f.call, f.options)).toBe('done');
    expect(f.waits).toHaveLength(4);
    expect(f.waits[3]).toBeGreaterThan(f.waits[0] as number);
  });

  test('is given up after the last attempt with its own failure', async () => {
    const f = failing(9);
    await expect(withRetry(f.call, f.options)).rejects.toThrow('later');
    expect(f.calls()).toBe(5);
  });

  test('is not repeated where that would not help', async () => {
    const f = failing(1, () => new Error('never'));
    await expect(withRetry(f.call, f.options)).rejects.toThrow('never');
    expect(f.calls()).toBe(1);
  });

  test('is not repeated once the run is cancelled', async () => {
    const ended = new AbortController();
    const f = failing(9);
    const wait = async () => ended.abort();
    await expect(withRetry(f.call, { ...f.options, wait, signal: ended.signal })).rejects.toThrow('later');
    expect(f.calls()).toBe(2);
  });

  test('waits half by rule and half by chance, at most fifteen seconds', () => {
    for (let attempt = 1; attempt <= 30; attempt++) {
      const rule = Math.min(15_000, 200 * 2 ** (attempt - 1));
      const ms = backoff(attempt);
      expect(ms).toBeGreaterThanOrEqual(rule / 2);
      expect(ms).toBeLessThanOrEqual(rule);
    }
  });
});

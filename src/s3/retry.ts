import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 200;
const MOST_MS = 15_000;

export interface RetryOptions {
  isRetryable: (error: unknown) => boolean;
  /** Asked before each retry: how many attempts there may be in all. */
  attempts: () => number;
  signal?: AbortSignal | undefined;
  /** Stands in for the clock in tests. */
  wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Repeats a call that may be repeated, later each time. The last failure is thrown as it is. */
export async function withRetry<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const wait = options.wait ?? sleep;
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (options.signal?.aborted === true || attempt >= options.attempts() || !options.isRetryable(error)) throw error;
      await wait(backoff(attempt), options.signal);
    }
  }
}

/** Doubles each time; the half of it is chance, so that many who wait for one server do not come back at once. */
export function backoff(attempt: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** (attempt - 1));
  return most / 2 + Math.random() * (most / 2);
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  // A cancelled wait ends at once; the next attempt then says why.
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}

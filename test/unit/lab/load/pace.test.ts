import { expect, test } from 'vitest';
import { Latencies } from '../../../../lab/load/latencies.ts';
import { Pacer } from '../../../../lab/load/pacer.ts';

const NEVER = new AbortController().signal;

test('at a fixed rate the schedule does not wait for who is late', async () => {
  const pacer = new Pacer(2, 1000);
  const dues: number[] = [];
  for (let i = 0; i < 50; i++) dues.push(await pacer.due(0, 0, NEVER));
  const steps = dues.slice(1).map((due, i) => due - (dues[i] ?? 0));
  for (const step of steps) expect(step).toBeCloseTo(2, 6);
});

test('without a rate a transaction is due at once', async () => {
  const from = performance.now();
  expect(await new Pacer(1, undefined).due(0, 50, NEVER)).toBeLessThan(from + 50);
});

test('a new rate ends a long wait', async () => {
  const pacer = new Pacer(1, 0.001);
  await pacer.due(0, 0, NEVER);
  const waiting = pacer.due(0, 0, NEVER);
  pacer.setRate(undefined);
  await waiting;
});

test('an aborted signal ends a long wait', async () => {
  const stop = new AbortController();
  const pacer = new Pacer(1, 0.001);
  await pacer.due(0, 0, stop.signal);
  const waiting = pacer.due(0, 0, stop.signal);
  stop.abort();
  await waiting;
});

test('figures are those of the window, by the moment when transactions were due', () => {
  const latencies = new Latencies();
  for (let i = 0; i < 200; i++) latencies.add({ dueMs: i * 10, ms: i < 100 ? 5 : i, ok: i !== 150 });
  expect(latencies.stats({ toMs: 1000 })).toMatchObject({ count: 100, failed: 0, p50Ms: 5, p99Ms: 5, maxMs: 5 });
  expect(latencies.stats({ fromMs: 1000 })).toMatchObject({
    count: 100,
    failed: 1,
    p50Ms: 149,
    p99Ms: 198,
    maxMs: 199,
  });
  expect(latencies.stats({ fromMs: 5000 })).toEqual({
    count: 0,
    failed: 0,
    perSecond: 0,
    p50Ms: 0,
    p99Ms: 0,
    maxMs: 0,
  });
});

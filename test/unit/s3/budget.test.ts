import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Budget } from '../../../src/s3/budget.ts';

describe('a budget', () => {
  test('is never exceeded, and whoever waits gets its turn in order', async () => {
    const amounts = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(amounts, async (wanted) => {
        const budget = new Budget(10);
        const order: number[] = [];
        let held = 0;
        await Promise.all(
          wanted.map(async (amount, i) => {
            const release = await budget.acquire(amount);
            order.push(i);
            held += Math.min(amount, 10);
            expect(held).toBeLessThanOrEqual(10);
            await nextTurn();
            held -= Math.min(amount, 10);
            release();
            release();
          }),
        );
        expect(order).toEqual(wanted.map((_, i) => i));
      }),
      { numRuns: 50 },
    );
  });
});

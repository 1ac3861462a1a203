import { setImmediate as nextTurn } from 'node:timers/promises';

const SLICE_MS = 10;

/**
 * Calls a synchronous function for each item, letting the event loop turn every few milliseconds. Synchronous calls cost a
 * tenth of asynchronous ones for small files; heartbeats and other streams still get their turn.
 */
export async function forEachInSlices<T>(items: Iterable<T>, each: (item: T, index: number) => void): Promise<void> {
  let index = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const item of items) {
    each(item, index++);
    if (index % 16 === 0 && performance.now() > sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
}

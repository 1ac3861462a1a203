/** Waiting takes no time: what the product waits for with `setTimeout` of `node:timers/promises` is over at the next turn. */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { turns } from './faults.ts';

/** Gives what puts the real clock back. */
export function beginVirtualTime(): () => void {
  const [sleep, now] = [timers.setTimeout, performance.now];
  let ms = 0;
  timers.setTimeout = async <T>(delay?: number, value?: T): Promise<T> => {
    ms += delay ?? 0;
    await turns(1);
    return value as T;
  };
  performance.now = () => now.call(performance) + ms;
  syncBuiltinESMExports();
  return () => {
    timers.setTimeout = sleep;
    performance.now = now;
    syncBuiltinESMExports();
  };
}

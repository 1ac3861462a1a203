import { writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** The kernel lets users who are not root do it once in a tenth of a second, all of them together. */
const AGAIN_MS = 150;
const TRIES = 20;

/**
 * Makes the session of a process as nice as this process: Linux gives every session as much of the processors as any other
 * (`sched_autogroup`), whatever the niceness of the processes in it, so that an agent with `nice` took as much as Cassandra.
 * Where the kernel has no such groups there is nothing to do.
 */
export async function niceSession(pid: number | undefined, nice: number = getPriority()): Promise<void> {
  if (nice <= 0 || pid === undefined) return;
  for (let left = TRIES; left > 0; left--) {
    try {
      return await writeFile(`/proc/${pid}/autogroup`, String(nice));
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      await delay(AGAIN_MS, undefined, { ref: false });
    }
  }
}

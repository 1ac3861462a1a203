import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from './process-identity.ts';

/** Sends a signal to exactly that process; false when it is gone. */
export async function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(target))) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw e;
  }
}

/** Ends processes: SIGTERM, then SIGKILL for those that are still there after `graceMs`. Returns when all are gone. */
export async function endProcesses(targets: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  for (const target of targets) await signalProcess(target, 'SIGTERM');
  if (await allGone(targets, graceMs)) return;
  for (const target of targets) await signalProcess(target, 'SIGKILL');
  while (!(await allGone(targets, 1000)));
}

/** Waits until none of the processes runs; false when one still does after `limitMs`. */
export async function allGone(targets: readonly ProcessIdentity[], limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs;
  for (;;) {
    const alive = await Promise.all(targets.map(isAlive));
    if (!alive.includes(true)) return true;
    if (Date.now() >= end) return false;
    await delay(50);
  }
}

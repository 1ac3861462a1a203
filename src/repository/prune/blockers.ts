import { setTimeout as sleep } from 'node:timers/promises';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { listLeases, takeAway, type Lease, type LeaseInfo } from '../lease/index.ts';

/**
 * The leases that keep a sweep from beginning: writers, which may rely on anything that is there; readers of what is not,
 * or no longer, among the backups. Those of the dead are taken away.
 */
export async function blockers(
  backend: Backend,
  lease: Lease,
  backups: ReadonlySet<string>,
  staleMs?: number,
): Promise<LeaseInfo[]> {
  const blocking: LeaseInfo[] = [];
  const found = await listLeases(backend, { own: lease.id, ...(staleMs === undefined ? {} : { staleMs }) });
  for (const other of found) {
    if (other.kind === 'delete' && other.readable) continue;
    if (other.kind === 'read' || other.kind === 'restore') {
      if (other.backups.length > 0 && other.backups.every((id) => backups.has(id))) continue;
    }
    if (!other.readable) throw unreadable(other);
    if (other.kind !== 'restore' && (other.stale || other.revoked)) {
      await takeAway(backend, other, `prune ${lease.owner.run} on ${lease.owner.host}`);
    } else blocking.push(other);
  }
  return blocking;
}

export interface WaitOptions {
  signal?: AbortSignal;
  /** Default true; else `locked` at once. */
  wait?: boolean;
  /** Called whenever those who are waited for change. */
  onWait?: (leases: readonly LeaseInfo[]) => void;
  pollMs?: number;
  judgeStaleMs?: number;
}

/** Waits until nobody keeps a sweep from beginning. True when there was someone. */
export async function waitForOthers(
  backend: Backend,
  lease: Lease,
  backups: () => Promise<ReadonlySet<string>>,
  options: WaitOptions,
): Promise<boolean> {
  let told = '';
  for (;;) {
    throwIfCancelled(options.signal);
    await lease.assertHeld();
    const blocking = await blockers(backend, lease, await backups(), options.judgeStaleMs);
    const [first] = blocking;
    if (first === undefined) return told !== '';
    if (options.wait === false) throw refused(first);
    const who = blocking.map(({ id }) => id).join();
    if (who !== told) options.onWait?.(blocking);
    told = who;
    await sleep(options.pollMs ?? 2000);
  }
}

function refused({ id, kind, owner }: LeaseInfo): SkepError {
  const message = `${owner.host} (pid ${owner.pid}, run ${owner.run}) holds a ${kind} lease`;
  const hint = 'Run `skep prune` when that run has ended, or without `--no-wait`.';
  return new SkepError('locked', message, { hint, context: { lease: id, kind, owner } });
}

function unreadable({ id }: LeaseInfo): SkepError {
  const message = `the lease ${id} cannot be read: who holds it is not known`;
  const hint = `Make sure that no skep runs on any machine, then run \`skep unlock ${id} --force\`.`;
  return new SkepError('locked', message, { hint, context: { lease: id } });
}

import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { Room } from '../prune/ballast.ts';
import { harmOf } from './harm.ts';
import { listLeases, storageTime, type LeaseInfo } from './lease-file.ts';
import { takeAway } from './take-away.ts';

/** A lease as it is shown to who may take it away. */
export interface ShownLease extends LeaseInfo {
  /** What that can harm, for people. */
  harm: string;
}

export interface UnlockOptions {
  /** Who takes them, for the owners' eyes. */
  by: string;
  /** Also from the living, and from those that do not answer. */
  force?: boolean;
  /** Only says what would be taken, or why it would be refused. */
  dryRun?: boolean;
  /** Size of the ballast that is made again where this had to use it up. */
  ballastBytes?: number;
  signal?: AbortSignal;
}

/** All leases, with their ages by the storage's clock. */
export async function showLeases(backend: Backend): Promise<ShownLease[]> {
  const now = await storageTime(backend);
  const found = await listLeases(backend, now === undefined ? {} : { now });
  return found.map((lease) => ({ ...lease, harm: harmOf(lease, backend.bins !== undefined) }));
}

/**
 * Takes these leases away, and gives them. Their owners end with an error as soon as they look; what one that only paused
 * can do before that is in `harm`. `locked` when one is alive, cannot be read, or is a sweep that does not answer, unless
 * forced.
 */
export async function unlock(backend: Backend, ids: readonly string[], options: UnlockOptions): Promise<ShownLease[]> {
  const { by, signal } = options;
  const all = await showLeases(backend);
  const chosen = ids.map((id) => {
    const found = all.find((lease) => lease.id === id);
    if (found === undefined) throw new SkepError('usage', `there is no lease ${id}`, { hint: 'Run `skep unlock`.' });
    return found;
  });
  const force = options.force === true;
  const alive = chosen.find((lease) => !lease.readable || (!lease.stale && !lease.revoked));
  if (alive !== undefined && !force) throw refused(alive);
  if (options.dryRun === true) return chosen;
  const room = new Room(backend, options.ballastBytes);
  try {
    for (const lease of chosen) {
      throwIfCancelled(signal);
      const how = { force, ...(signal === undefined ? {} : { signal }) };
      await room.for(() => takeAway(backend, lease, by, how));
    }
  } finally {
    await room.end();
  }
  return chosen;
}

function refused(lease: ShownLease): SkepError {
  const { id, kind, owner, silentMs, harm } = lease;
  const context = { lease: id, kind, owner, harm };
  if (!lease.readable) {
    const hint = `If no skep runs on any machine, run \`skep unlock ${id} --force\`: ${harm}.`;
    return new SkepError('locked', `the lease ${id} cannot be read: who holds it is not known`, { hint, context });
  }
  const heard = `${Math.round(silentMs / 1000)} s ago`;
  const message = `${owner.host} (pid ${owner.pid}) holds the ${kind} lease ${id} and was heard of ${heard}`;
  const hint = `Stop that process, or run \`skep unlock ${id} --force\`: ${harm}.`;
  return new SkepError('locked', message, { hint, context });
}

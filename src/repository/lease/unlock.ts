import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { withRoom } from '../prune/ballast.ts';
import { listLeases, storageTime, type LeaseInfo } from './lease-file.ts';
import { takeAway } from './take-away.ts';

/** All leases, with their ages by the storage's clock. */
export async function showLeases(backend: Backend): Promise<LeaseInfo[]> {
  const now = await storageTime(backend);
  return listLeases(backend, now === undefined ? {} : { now });
}

/**
 * Takes these leases away. `locked` when one is alive or cannot be read, unless forced: then its owner ends with an error
 * as soon as it looks, and can do no harm before. Gives those that were taken.
 */
export async function unlock(
  backend: Backend,
  ids: readonly string[],
  options: { by: string; force?: boolean },
): Promise<LeaseInfo[]> {
  const all = await showLeases(backend);
  const chosen = ids.map((id) => {
    const found = all.find((lease) => lease.id === id);
    if (found === undefined) throw new SkepError('usage', `there is no lease ${id}`, { hint: 'Run `skep unlock`.' });
    return found;
  });
  const alive = chosen.find((lease) => !lease.readable || (!lease.stale && !lease.revoked));
  if (alive !== undefined && options.force !== true) throw refused(alive);
  const force = options.force === true;
  for (const lease of chosen) await withRoom(backend, () => takeAway(backend, lease, options.by, { force }));
  return chosen;
}

function refused(lease: LeaseInfo): SkepError {
  const { id, owner, silentMs } = lease;
  const context = { lease: id, owner };
  if (!lease.readable) {
    const hint = `If no skep runs on any machine, run \`skep unlock ${id} --force\`.`;
    return new SkepError('locked', `the lease ${id} cannot be read: who holds it is not known`, { hint, context });
  }
  const heard = `${Math.round(silentMs / 1000)} s ago`;
  const message = `${owner.host} (pid ${owner.pid}) holds the ${lease.kind} lease ${id} and was heard of ${heard}`;
  const hint = `Stop that process, or run \`skep unlock ${id} --force\`: it then fails without doing harm.`;
  return new SkepError('locked', message, { hint, context });
}

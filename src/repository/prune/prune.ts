import type { Backend } from '../backend/backend.ts';
import { clearUnneeded } from '../damage/clear-unneeded.ts';
import { acquireLease, clearDeadRuns, type ClearedRuns, type Lease, type LeaseOwner } from '../lease/index.ts';
import { listBackupIds } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';
import { dropBallast, makeBallast, type BallastState } from './ballast.ts';
import { completeBackups } from './complete-backups.ts';
import { waitForOthers, type WaitOptions } from './blockers.ts';
import { findDoomed, type Doomed } from './doomed.ts';
import { mark } from './mark.ts';
import { sweep, type SweepOptions } from './sweep.ts';

export interface PruneOptions extends SweepOptions, WaitOptions {
  owner: LeaseOwner;
  /** Tells what would be removed, takes no lease and changes nothing. */
  dryRun?: boolean;
  /** Size of the ballast that is deleted first and made again at the end; 0 for none. */
  ballastBytes?: number;
}

export interface PruneReport {
  dryRun: boolean;
  /** How many backups there are: all that they need was kept. */
  backups: number;
  /** Removed, or in a dry run to be removed. */
  objects: number;
  pieces: number;
  /** Stored bytes that this frees. */
  bytes: number;
  /** What nobody needs but object lock keeps; `until` (ISO) is when the last of them may go. */
  locked: { keys: number; bytes: number; until?: string };
  /** Files in the folders of objects and pieces that are neither: left alone. */
  unknown: number;
  /** What dead runs had left. */
  cleared: ClearedRuns;
  ballast: BallastState;
  /** Size of the ballast that there is now, and how many inodes it holds. */
  ballastBytes: number;
  ballastInodes: number;
}

/** See `Repository.prune`. */
export async function prune(vault: Vault, options: PruneOptions): Promise<PruneReport> {
  const { backend } = vault;
  if (options.dryRun === true) {
    const { backups, needed } = await mark(vault, options);
    const doomed = await findDoomed(backend, needed, options);
    const { objects, pieces, keys } = doomed;
    return { ...report(doomed, backups.size), dryRun: true, objects, pieces, bytes: keys.bytes };
  }
  // Before anything else is written: on a full disk not even a lease has room.
  await dropBallast(backend);
  let pruned: PruneReport;
  try {
    pruned = await pruneNow(vault, options);
  } catch (error) {
    await makeBallast(backend, options.ballastBytes ?? 0);
    throw error;
  }
  const { state, bytes, inodes } = await makeBallast(backend, options.ballastBytes ?? 0);
  return { ...pruned, ballast: state, ballastBytes: bytes, ballastInodes: inodes };
}

async function pruneNow(vault: Vault, options: PruneOptions): Promise<PruneReport> {
  const { backend } = vault;
  const by = `prune ${options.owner.run} on ${options.owner.host}`;
  let lease = await take(backend, options);
  const total = { objects: 0, pieces: 0, bytes: 0 };
  let unsure = false;
  /** Each try has a lease of its own: a writer that began since the last one was taken has ended its sweep for good. */
  const renew = async () => {
    // One that was taken for dead meanwhile does not come back.
    await lease.assertHeld();
    const former = lease;
    lease = await take(backend, options, former.id);
    await former.release();
  };
  try {
    await completeBackups(vault);
    const judge = options.judgeStaleMs === undefined ? {} : { staleMs: options.judgeStaleMs };
    const cleared = await clearDeadRuns(backend, { by, own: lease.id, ...judge });
    for (;;) {
      await waitForOthers(backend, lease, async () => new Set(await listBackupIds(backend)), options);
      await renew();
      const swept = await sweep(vault, lease, options, () => (unsure = true));
      total.objects += swept.objects;
      total.pieces += swept.pieces;
      total.bytes += swept.bytes;
      if (swept.done && swept.doomed !== undefined) {
        if (swept.needed !== undefined) await clearUnneeded(backend, swept.needed);
        return { ...report(swept.doomed, swept.backups), ...total, cleared };
      }
      // At once: who told the sweep to stop may be waiting for its record to go.
      await renew();
    }
  } finally {
    await (unsure ? lease.leave() : lease.release());
  }
}

function take(backend: Backend, options: PruneOptions, follows?: string): Promise<Lease> {
  return acquireLease(backend, 'delete', options.owner, {
    ...(follows === undefined ? {} : { follows }),
    ...(options.judgeStaleMs === undefined ? {} : { judgeStaleMs: options.judgeStaleMs }),
  });
}

function report(doomed: Doomed, backups: number): PruneReport {
  const { keys, bytes, until } = doomed.locked;
  return {
    dryRun: false,
    backups,
    objects: 0,
    pieces: 0,
    bytes: 0,
    locked: { keys, bytes, ...(until === undefined ? {} : { until: until.toISOString() }) },
    unknown: doomed.unknown,
    cleared: { leases: [], runs: [], leftovers: 0 },
    ballast: 'none',
    ballastBytes: 0,
    ballastInodes: 0,
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { HeldLease, type Lease, type LeaseTiming } from './held-lease.ts';
import { listLeases, STALE_MS, type LeaseInfo, type LeaseKind, type LeaseOwner } from './lease-file.ts';
import { endSweeps, takeAway } from './take-away.ts';

/** Those that begin at once may all give way: each tries again, after a while of its own that grows. */
const AGAIN_MS = 300;
const TRIES = 5;

export interface AcquireOptions extends LeaseTiming {
  /** Ids of the backups that the owner may publish (write: its own run when absent) or needs (read, restore). */
  backups?: readonly string[];
  /** The owner uses the staging repository of Elasticsearch: refused beside another that does. */
  staging?: boolean;
  /** A lease of the same owner that this one follows. */
  follows?: string;
  /** After which silence other owners are taken for dead; ten minutes. */
  judgeStaleMs?: number;
  /** How long a sweep that is asked to stop, on a storage without bins, may take for its answer; a minute. */
  stopMs?: number;
}

/**
 * Takes a lease. The lease is written first, then the others are looked at: of two that exclude each other at least one
 * sees the other. A writer ends every sweep before this returns, so that nothing that it finds from now on is removed.
 * Errors: `locked`, naming the other's owner.
 */
export async function acquireLease(
  backend: Backend,
  kind: LeaseKind,
  owner: LeaseOwner,
  options: AcquireOptions = {},
): Promise<Lease> {
  let before: string | undefined;
  for (let n = 1; ; n++) {
    const got = await tryAcquire(backend, kind, owner, options);
    if (!('rival' in got)) return got;
    // The same lease once more: that owner did not give way.
    if (got.rival.id === before || n === TRIES) throw refused(got.rival, kind);
    before = got.rival.id;
    await sleep(Math.random() * AGAIN_MS * n);
  }
}

async function tryAcquire(
  backend: Backend,
  kind: LeaseKind,
  owner: LeaseOwner,
  options: AcquireOptions,
): Promise<Lease | { rival: LeaseInfo }> {
  const use = {
    backups: options.backups ?? (kind === 'write' ? [owner.run] : []),
    staging: options.staging ?? false,
  };
  const lease = new HeldLease(backend, kind, owner, use, options);
  await lease.begin();
  try {
    const found = await listLeases(backend, { own: lease.id, staleMs: options.judgeStaleMs ?? STALE_MS });
    const others = found.filter(({ id }) => id !== lease.id && id !== options.follows);
    for (const other of others) {
      const verdict = judge(kind, owner, other, use.staging);
      if (verdict === 'refuse') {
        await lease.release();
        return { rival: other };
      }
      if (verdict === 'take away') await takeAway(backend, other, `${kind} ${owner.run} on ${owner.host}`);
    }
    if (kind === 'write') await endSweeps(backend, others, `write ${owner.run} on ${owner.host}`, options);
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function judge(
  kind: LeaseKind,
  owner: LeaseOwner,
  other: LeaseInfo,
  staging: boolean,
): 'fine' | 'refuse' | 'take away' {
  const pair = `${kind} ${other.kind}`;
  const isOver = other.readable && (other.stale || other.revoked);
  switch (pair) {
    case 'restore restore':
      // The very restore, which goes on where it stopped: its journal sees to it that there is one process.
      return other.owner.run === owner.run ? 'take away' : 'refuse';
    // A restore that has fallen silent has not ended: the cluster is between two states.
    case 'write restore':
      return 'refuse';
    case 'restore write':
    case 'delete delete':
      return isOver ? 'take away' : 'refuse';
    case 'write write':
      if (!staging || !other.staging) return 'fine';
      return isOver ? 'take away' : 'refuse';
    default:
      return 'fine';
  }
}

function refused(rival: LeaseInfo, wanted: LeaseKind): SkepError {
  const { id, kind, owner } = rival;
  const context = { lease: id, kind, owner, heartbeatAt: rival.heartbeatAt };
  if (kind === 'restore') {
    const [backup = 'a backup'] = rival.backups;
    const message = `a restore of ${backup} was begun by ${owner.host} (pid ${owner.pid}) and has not ended`;
    const hint = `Run \`skep restore ${backup}\` on ${owner.host} to its end; if that cannot be, \`skep unlock ${id}\`.`;
    return new SkepError('locked', message, { context, hint });
  }
  if (kind === 'write' && wanted === 'write') {
    const message = `another backup of this cluster is under way: ${owner.run} of ${owner.host} (pid ${owner.pid})`;
    const hint = `Run \`skep backup\` again when it has ended; if it never will, \`skep unlock ${id}\`.`;
    return new SkepError('locked', message, { context, hint, retryable: true });
  }
  const message = `${owner.host} (pid ${owner.pid}, run ${owner.run}) holds a ${kind} lease`;
  const hint = 'Wait for that run, or stop it; `skep unlock` shows who holds what.';
  return new SkepError('locked', message, { context, hint });
}

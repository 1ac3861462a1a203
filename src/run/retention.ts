import { hostname } from 'node:os';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import {
  type ForgetReport,
  type LeaseInfo,
  type LeaseOwner,
  newBackupId,
  type PruneReport,
  type Repository,
  type RetentionRules,
  type ShownLease,
} from '../repository/index.ts';
import { resolveId } from './inspect.ts';
import { openOwnRepository } from './open-repository.ts';
import { tellCleared } from './sweep.ts';

export interface ForgetOptionsOfRun {
  /** Ids, beginnings of ids, or `latest`; else the rules decide. */
  ids?: readonly string[];
  /** In place of those of the configuration. */
  rules?: RetentionRules;
  dryRun?: boolean;
  signal: AbortSignal;
}

/** Forgets backups. Errors: those of `Repository.forget`. */
export async function forget(cluster: ClusterConfig, o: ForgetOptionsOfRun): Promise<ForgetReport> {
  const repository = await openOwnRepository(cluster);
  const ids: string[] = [];
  for (const id of o.ids ?? []) ids.push(await resolveId(cluster, id));
  return repository.forget({
    owner: self(),
    ...(ids.length > 0 ? { ids } : { rules: o.rules ?? rulesOf(cluster) }),
    minimum: cluster.retention.minimum,
    dryRun: o.dryRun === true,
    ballastBytes: ballastBytes(cluster),
    signal: o.signal,
  });
}

/** Removes what no backup needs. Waits for backups and restores to end unless told otherwise. Errors: those of `Repository.prune`. */
export async function prune(
  cluster: ClusterConfig,
  o: { signal: AbortSignal; emit: Emit; dryRun?: boolean; wait?: boolean },
): Promise<PruneReport> {
  const repository = await openOwnRepository(cluster);
  const report = await repository.prune({
    owner: self(),
    signal: o.signal,
    dryRun: o.dryRun === true,
    wait: o.wait !== false,
    ballastBytes: ballastBytes(cluster),
    onWait: (leases) => o.emit({ type: 'warning', text: `waiting for ${leases.map(describe).join(', ')} to end` }),
    onProgress: (p) =>
      o.emit({
        type: 'progress',
        node: 'repository',
        store: 'objects',
        stage: p.stage,
        files: p.done,
        totalFiles: p.total,
        bytes: p.bytes,
        totalBytes: p.bytesTotal,
      }),
  });
  tellCleared(report.cleared, o.emit);
  return report;
}

/** Who holds what in the repository, oldest first. */
export async function leases(cluster: ClusterConfig): Promise<ShownLease[]> {
  return (await openOwnRepository(cluster)).leases();
}

/** Takes leases away; in a dry run only looks whether they could be. Errors: those of `Repository.unlock`. */
export async function unlock(
  cluster: ClusterConfig,
  o: { ids: readonly string[]; force?: boolean; dryRun?: boolean; signal: AbortSignal },
): Promise<ShownLease[]> {
  const { force = false, dryRun = false, signal } = o;
  const repository = await openOwnRepository(cluster);
  return repository.unlock(o.ids, {
    by: `unlock on ${hostname()}`,
    force,
    dryRun,
    ballastBytes: ballastBytes(cluster),
    signal,
  });
}

/** How long what a backup needs is to be locked. Error: `config-invalid` on a storage without object lock. */
export async function checkLock(cluster: ClusterConfig, repository: Repository): Promise<{ lockMs?: number }> {
  const { lock } = cluster.retention;
  if (lock === undefined) return {};
  if (await repository.canLock()) return { lockMs: lock };
  throw new SkepError('config-invalid', `retention.lock is set, but ${repository.location} has no object lock`, {
    hint: 'Make the bucket with object lock, or take `retention.lock` out of skep.yaml.',
  });
}

/** Makes what a prune on a full disk deletes first, and says when it is less than was asked for. Error: that of the storage. */
export async function makeBallast(
  repository: Repository,
  cluster: Pick<ClusterConfig, 'repository' | 'retention'>,
  emit: Emit,
): Promise<void> {
  const wanted = ballastBytes(cluster);
  const { state, bytes, inodes } = await repository.makeBallast(wanted);
  if (state !== 'smaller' && state !== 'no-space') return;
  const seen = `there is no room for a whole ballast of ${wanted} bytes (retention.ballast) at ${repository.location}`;
  const has = `it has ${bytes} bytes and ${inodes} inodes`;
  const text = state === 'smaller' ? `${seen}: ${has}` : `${seen}: a full disk could not be pruned`;
  emit({ type: 'warning', text, context: { bytes, inodes, wanted } });
}

/** An object storage has no disk to fill. */
export function ballastBytes(cluster: Pick<ClusterConfig, 'repository' | 'retention'>): number {
  return cluster.repository.location.startsWith('/') ? cluster.retention.ballast : 0;
}

function rulesOf({ retention: r }: ClusterConfig): RetentionRules {
  const rules = {
    last: r.keep_last,
    hourly: r.keep_hourly,
    daily: r.keep_daily,
    weekly: r.keep_weekly,
    monthly: r.keep_monthly,
    withinMs: r.keep_within,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

function self(): LeaseOwner {
  return { run: newBackupId(), host: hostname(), pid: process.pid };
}

function describe({ kind, owner }: LeaseInfo): string {
  return `${kind === 'restore' ? 'a restore' : kind === 'read' ? 'a reader' : 'a backup'} on ${owner.host} (pid ${owner.pid})`;
}

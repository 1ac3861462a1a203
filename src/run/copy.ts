import { hostname } from 'node:os';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { type CopyReport, initRepository, newBackupId, openRepository, type Repository } from '../repository/index.ts';
import { accessTo } from './access-to.ts';
import { resolveId } from './inspect.ts';
import { openOwnRepository } from './open-repository.ts';

export interface CopyRunOptions {
  /** A name among `copies` of the configuration, or a location that is opened with the keys of the cluster's own repository. */
  to: string;
  /** Ids, beginnings of ids, or `latest`; else the `last` newest ones, else all. */
  ids?: readonly string[];
  last?: number;
  /** Makes the target when there is no repository yet. */
  init?: boolean;
  dryRun?: boolean;
  signal: AbortSignal;
  emit: Emit;
}

export type CopyResult = CopyReport & { location: string };

/** Copies backups of the cluster's repository into another one. Errors: `repository-missing`, those of `Repository.copyFrom`. */
export async function copy(cluster: ClusterConfig, o: CopyRunOptions): Promise<CopyResult> {
  const source = await openOwnRepository(cluster);
  const ids: string[] = [];
  for (const id of o.ids ?? []) ids.push(await resolveId(cluster, id));
  const target = await openTarget(cluster, source, o);
  if (target === undefined) {
    const all = (await source.list()).map((b) => b.id);
    const planned = ids.length > 0 ? ids : all.slice(0, o.last ?? all.length);
    return { location: o.to, copied: [], there: [], planned, resealed: false };
  }
  const { lock } = cluster.retention;
  let [done, total, bytes] = [0, 0, 0];
  const report = await target.copyFrom(source, {
    owner: { run: newBackupId(), host: hostname(), pid: process.pid },
    ...(ids.length > 0 ? { ids } : o.last === undefined ? {} : { last: o.last }),
    dryRun: o.dryRun === true,
    ...(lock !== undefined && (await target.canLock()) ? { lockMs: lock } : {}),
    signal: o.signal,
    onBackup: (id, n, of) => {
      [done, total] = [n, of];
      o.emit({ type: 'stage-started', stage: 'copy', text: `copying ${id} (${n + 1} of ${of})` });
    },
    onBytes: (n) => {
      bytes += n;
      const progress = { node: 'repository', store: 'backups', stage: 'copy', files: done, totalFiles: total, bytes };
      o.emit({ type: 'progress', ...progress });
    },
  });
  return { location: target.location, ...report };
}

/** Undefined for a dry run into what would be made. */
async function openTarget(
  cluster: ClusterConfig,
  source: Repository,
  o: CopyRunOptions,
): Promise<Repository | undefined> {
  const named = cluster.copies[o.to];
  if (named === undefined && !o.to.startsWith('/') && !o.to.startsWith('s3://')) {
    const names = Object.keys(cluster.copies).join(', ') || 'none';
    throw new SkepError('usage', `${o.to} is neither a location nor one of the copies of skep.yaml (${names})`, {
      hint: 'Give an absolute path, or name it under `copies` in skep.yaml.',
    });
  }
  const access = await accessTo({ repository: named ?? { ...cluster.repository, location: o.to } });
  try {
    return await openRepository(access);
  } catch (e) {
    if (!(e instanceof SkepError && e.code === 'repository-missing')) throw e;
    if (o.init !== true) {
      throw new SkepError(e.code, e.message, { hint: 'Run the command with `--init` to make it.', cause: e });
    }
    if (o.dryRun) return undefined;
    return initRepository(access, { clusterName: source.cluster.name, clusterId: source.cluster.id });
  }
}

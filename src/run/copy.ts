import { hostname } from 'node:os';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import {
  areNested,
  type CopyReport,
  initRepository,
  type ManifestDetails,
  newBackupId,
  openRepository,
  type Repository,
} from '../repository/index.ts';
import { accessTo, type ReadKeys, readAccessTo } from './access-to.ts';
import { copyPlace } from './copy-place.ts';
import { parseDetails } from './details.ts';
import { resolveId } from './inspect.ts';
import { openOwnRepository } from './open-repository.ts';
import { makeBallast } from './retention.ts';
import { tellCleared } from './sweep.ts';

export interface CopyRunOptions {
  /** A name among `copies` of the configuration, or a location that is opened with the keys of the cluster's own repository. */
  to: string;
  /** Ids, beginnings of ids, or `latest`; else the `last` newest ones that are whole, else all. */
  ids?: readonly string[];
  last?: number;
  /** Makes the target when there is no repository yet. */
  init?: boolean;
  dryRun?: boolean;
  /** What opens the source, where it is sealed otherwise than the target; read only then, unless a file is named. */
  keys?: ReadKeys;
  signal: AbortSignal;
  emit: Emit;
}

export type CopyResult = CopyReport & { location: string };

/**
 * Copies backups of the cluster's repository into another one. Errors: `repository-missing`, `config-invalid`
 * (configurations into what is not sealed), those of `Repository.copyFrom`.
 */
export async function copy(cluster: ClusterConfig, o: CopyRunOptions): Promise<CopyResult> {
  const access = o.keys?.identityFile === undefined ? undefined : await readAccessTo(cluster, o.keys);
  const closed = await openOwnRepository(cluster, access);
  const ids: string[] = [];
  for (const id of o.ids ?? []) ids.push(await resolveId(cluster, id));
  await refuseOpenConfigurations(cluster, closed, { ...o, ids });
  const target = await openTarget(cluster, closed, o);
  if (target === undefined) return plannedForNew(closed, o, ids);
  // For a full disk there; a copy that ended before it was made makes it now.
  if (o.dryRun !== true) await makeBallast(target, { ...cluster, ...copyPlace(cluster, o.to) }, o.emit);
  const source = await openSource(cluster, closed, target);
  const { lock } = cluster.retention;
  let [done, total, bytes] = [0, 0, 0];
  const report = await target.copyFrom(source, {
    owner: { run: newBackupId(), host: hostname(), pid: process.pid },
    ...(ids.length > 0 ? { ids } : o.last === undefined ? {} : { last: o.last }),
    dryRun: o.dryRun === true,
    ...(lock !== undefined && (await target.canLock()) ? { lockMs: lock } : {}),
    hostIdsOf,
    signal: o.signal,
    onBackup: (id, n, of) => {
      [done, total] = [n, of];
      o.emit({ type: 'stage-started', stage: 'copy', text: `copying ${id} (${n + 1} of ${of})` });
    },
    onLeftOut: (id, why) => tellLeftOut(o.emit, id, why.message),
    onUnheld: (why) => {
      const text = `no lease could be taken, so a prune there may take away what is being copied: ${why.message}`;
      o.emit({ type: 'warning', text });
    },
    onCleared: (cleared) => tellCleared(cleared, o.emit),
    onBytes: (n) => {
      bytes += n;
      const progress = { node: 'repository', store: 'backups', stage: 'copy', files: done, totalFiles: total, bytes };
      o.emit({ type: 'progress', ...progress });
    },
  });
  return { location: target.location, ...report };
}

/**
 * Configurations hold secrets. skep.yaml may have kept them when a backup was taken, and say nothing of them now. Error:
 * `config-invalid`.
 */
async function refuseOpenConfigurations(
  cluster: ClusterConfig,
  source: Repository,
  { to, ids, last }: Pick<CopyRunOptions, 'to' | 'last'> & { ids: readonly string[] },
): Promise<void> {
  if (!source.sealed || cluster.config?.unsealed || copyPlace(cluster, to).repository.sealing) return;
  const whole = (await source.manifests()).filter((b) => b.state === 'complete');
  const chosen = ids.length > 0 ? whole.filter((b) => ids.includes(b.id)) : whole.slice(0, last);
  const found = chosen.find((b) => b.manifest.parts.some((part) => part.store === 'config'));
  if (!found) return;
  throw new SkepError('config-invalid', `backup ${found.id} has configurations, and ${to} is not sealed`, {
    hint: 'They hold secrets: seal that repository, or set `config: { unsealed: true }` in skep.yaml.',
    context: { backup: found.id },
  });
}

/** An identity is read only for what cannot be taken over as it is stored. */
async function openSource(cluster: ClusterConfig, source: Repository, target: Repository): Promise<Repository> {
  if (source.opens || (await target.hasKeysOf(source))) return source;
  return openOwnRepository(cluster, await readAccessTo(cluster));
}

/** What a repository that is yet to be made would get. */
async function plannedForNew(source: Repository, o: CopyRunOptions, ids: readonly string[]): Promise<CopyResult> {
  const planned: string[] = [];
  for (const backup of await source.list()) {
    if (planned.length >= (o.last ?? Infinity)) break;
    if (ids.length > 0 && !ids.includes(backup.id)) continue;
    if (backup.state === 'complete') planned.unshift(backup.id);
    else tellLeftOut(o.emit, backup.id, backup.message);
  }
  return { location: o.to, copied: [], there: [], planned, resealed: false, rotated: false };
}

function tellLeftOut(emit: Emit, backup: string, why: string): void {
  emit({ type: 'warning', text: `backup ${backup} is left out: ${why}`, context: { backup } });
}

function hostIdsOf(details: ManifestDetails, id: string): string[] {
  return parseDetails(details, id).topology.nodes.map((n) => n.hostId);
}

/** Undefined for a dry run into what would be made. */
async function openTarget(
  cluster: ClusterConfig,
  source: Repository,
  o: CopyRunOptions,
): Promise<Repository | undefined> {
  const access = await accessTo(copyPlace(cluster, o.to));
  const isPath = [access.location, source.location].every((location) => location.startsWith('/'));
  if (isPath && areNested(access.location, source.location)) {
    throw new SkepError('usage', `${access.location} and ${source.location} lie in one another`, {
      hint: 'Name a folder with `--to` that is not in the repository and does not hold it.',
    });
  }
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

import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions, discover, openCqlSessions } from '../discovery/discover.ts';
import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { checkOwner, makeRepository, openOwnRepository } from './open-repository.ts';
import { planInit } from './init-plan.ts';
import { ensureNamingKey } from './naming-key.ts';
import { checkLock, makeBallast } from './retention.ts';

export interface InitResult {
  id: string;
  location: string;
  /** False when the cluster's repository was there already. */
  made: boolean;
  sealed: boolean;
  /** The file into which a new naming key was written. */
  namingKeyFile?: string;
}

export interface InitOptions {
  signal: AbortSignal;
  emit: Emit;
  /** Shows the plan and changes nothing. */
  dryRun?: boolean;
}

/**
 * Makes the repository that the configuration names, for the cluster that answers there; undefined for a dry run. May be
 * repeated, also after a signal. Errors: those of CQL, `repository-foreign` when another cluster's is there,
 * `repository-unfit`, `no-space`.
 */
export async function init(cluster: ClusterConfig, o: InitOptions): Promise<InitResult | undefined> {
  const cql = await openCqlSessions(cluster);
  try {
    o.signal.throwIfAborted();
    const topology = await discover(cluster, cql);
    o.signal.throwIfAborted();
    if (o.dryRun !== true) return await make(cluster, topology, o);
    o.emit({ type: 'plan', steps: await planInit(cluster, topology) });
    return undefined;
  } finally {
    await closeCqlSessions(cql);
  }
}

async function make(cluster: ClusterConfig, topology: Topology, { signal, emit }: InitOptions): Promise<InitResult> {
  try {
    const namingKeyFile = await ensureNamingKey(cluster);
    signal.throwIfAborted();
    const repository = await makeRepository(cluster, topology);
    await checkLock(cluster, repository);
    signal.throwIfAborted();
    await makeBallast(repository, cluster, emit);
    const { id, location, sealed } = repository;
    return { id, location, sealed, made: true, ...(namingKeyFile ? { namingKeyFile } : {}) };
  } catch (e) {
    if (!(e instanceof SkepError && e.code === 'repository-exists')) throw e;
    const there = await openOwnRepository(cluster);
    await checkOwner(there, topology);
    await makeBallast(there, cluster, emit);
    return { id: there.id, location: there.location, sealed: there.sealed, made: false };
  }
}

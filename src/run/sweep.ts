import { clearSnapshotArgs, nodetool } from '../drivers/cassandra/nodetool.ts';
import type { Topology } from '../discovery/topology.ts';
import type { Emit } from '../events.ts';
import type { ClearedRuns, Lease, Repository } from '../repository/index.ts';
import { type Connections, onCassandraNodes } from './connections.ts';
import { nodeOf } from './take-cut.ts';

/** The run in the tag of a backup's snapshot, `skep-<run>-<attempt>`; undefined for any other tag, undo's too. */
export function runOfTag(tag: string): string | undefined {
  return /^skep-(\d{8}T\d{6}Z-[0-9a-f]+)-\d+$/.exec(tag)?.[1];
}

/**
 * Clears what dead runs have left on the nodes: a node that was down when its backup failed keeps the snapshot, and with
 * it the disk of every SSTable in it. Runs that hold a lease are alive; everything else is told and cleared.
 */
export async function sweepSnapshots(
  c: Connections,
  topology: Topology,
  repository: Repository,
  o: { signal: AbortSignal; emit: Emit },
): Promise<void> {
  const { keyspace } = topology;
  const alive = new Set((await repository.leases()).filter((l) => !l.stale).map((l) => l.owner.run));
  await onCassandraNodes(c, async (agent, node) => {
    const { dataDirs } = nodeOf(topology, node);
    const { tags } = await agent.call('snapshot.leftovers', { dataDirs, keyspace, prefix: 'skep-' }, o);
    for (const tag of tags) {
      const run = runOfTag(tag);
      if (run === undefined || alive.has(run)) continue;
      await nodetool(agent, c.cluster, clearSnapshotArgs(tag, keyspace), o);
      o.emit({ type: 'warning', text: `cleared snapshot ${tag} of a dead run on ${node}`, context: { node, tag } });
    }
  });
}

/** Removes what dead runs have left in the repository: stale leases, and what they had staged. */
export async function sweepRepository(repository: Repository, lease: Lease, emit: Emit): Promise<void> {
  tellCleared(await repository.clearDeadRuns(lease), emit);
}

export function tellCleared({ leases, runs, leftovers }: ClearedRuns, emit: Emit): void {
  for (const { kind, owner } of leases) {
    const text = `took the ${kind} lease of run ${owner.run} on ${owner.host} (pid ${owner.pid}), which has fallen silent`;
    emit({ type: 'warning', text, context: { owner } });
  }
  for (const run of runs)
    emit({ type: 'warning', text: `removed what the dead run ${run} had staged`, context: { run } });
  if (leftovers > 0) emit({ type: 'warning', text: `removed ${leftovers} writes that were never finished` });
}

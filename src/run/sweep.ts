import { join } from 'node:path';
import { type PinsOfRun, touching } from '../cut/pin-heartbeat.ts';
import type { Topology } from '../discovery/topology.ts';
import { clearSnapshotArgs, nodetool } from '../drivers/cassandra/nodetool.ts';
import { PIN_FOLDER } from '../drivers/files/walk.ts';
import { toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { AgentProcess } from '../remote/agent-process.ts';
import type { ClearedRuns, Lease, Repository } from '../repository/index.ts';
import { isS3Location } from '../s3/location.ts';
import { agentOf, type Connections, onCassandraNodes } from './connections.ts';
import { nodeOf } from './take-cut.ts';

/** The run in the tag of a backup's snapshot, `skep-<run>-<attempt>`; undefined for any other tag, undo's too. */
export function runOfTag(tag: string): string | undefined {
  return /^skep-(\d{8}T\d{6}Z-[0-9a-f]+)-\d+$/.exec(tag)?.[1];
}

interface SweepOptions {
  signal: AbortSignal;
  emit: Emit;
}

/**
 * Clears what dead runs have left on the nodes: an agent that was killed keeps its pins, a node that was down when its
 * backup failed the snapshot, and with it the disk of every SSTable in it. Whoever calls it holds the write lease that
 * uses staging.
 */
export async function sweepNodes(
  c: Connections,
  topology: Topology,
  repository: Repository,
  o: SweepOptions,
): Promise<void> {
  const { keyspace } = topology;
  const { files } = c.cluster;
  const logs = await onCassandraNodes(c, async (agent, node) => {
    const { dataDirs, commitlogDir } = nodeOf(topology, node);
    // In this order: a run has pins on a node for as long as it has a snapshot there.
    const { tags } = await agent.call('snapshot.leftovers', { dataDirs, keyspace, prefix: 'skep-' }, o);
    const { runs } = await agent.call('look.pins', { commitlogDir, folders: [] }, o);
    return { tags, pins: runs };
  });
  const filesAgent = agentOf(c.agents, files.node, 'files');
  // Nothing is pinned in a bucket.
  const folders = isS3Location(files.location) ? [] : [join(files.location, PIN_FOLDER)];
  const { runs: attachments } = await filesAgent.call('look.pins', { folders }, o);
  const pins = [...[...logs.values()].flatMap((l) => l.pins), ...attachments];
  const inTags = [...logs.values()].flatMap((l) => l.tags.flatMap((tag) => runOfTag(tag) ?? []));
  const dead = await deadRuns(repository, new Set([...pins.map((p) => p.run), ...inTags]), touching(pins));
  await onCassandraNodes(c, async (agent, node) => {
    const { tags = [], pins: there = [] } = logs.get(node) ?? {};
    for (const tag of tags.filter((t) => dead.has(runOfTag(t) ?? ''))) {
      await nodetool(agent, c.cluster, clearSnapshotArgs(tag, keyspace), o);
      o.emit({ type: 'warning', text: `cleared snapshot ${tag} of a dead run on ${node}`, context: { node, tag } });
    }
    await removeDead(agent, there, dead, o);
  });
  await removeDead(filesAgent, attachments, dead, o);
}

/**
 * Which of these runs are dead. One of this repository lives only under a lease, and no other of its backups may have one
 * now: it is dead at once. Of another repository's nothing is known but whether it still touches its pins.
 */
async function deadRuns(
  repository: Repository,
  runs: ReadonlySet<string>,
  touched: ReadonlySet<string>,
): Promise<Set<string>> {
  const leases = await repository.leases();
  const leased = new Set(leases.filter((l) => !l.stale).map((l) => l.owner.run));
  // An owner that cannot be read may be any run of this repository.
  const own = new Set(leases.every((l) => l.readable) ? await repository.runsOfOwn([...runs]) : []);
  return new Set([...runs].filter((run) => !leased.has(run) && (own.has(run) || !touched.has(run))));
}

async function removeDead(
  agent: AgentProcess,
  pins: readonly PinsOfRun[],
  dead: ReadonlySet<string>,
  o: SweepOptions,
): Promise<void> {
  const node = agent.node.name;
  for (const { folder, run } of pins.filter((p) => dead.has(p.run))) {
    const path = join(folder, run);
    // What cannot be removed is in nobody's way.
    const text = await agent.call('pin.remove', { folder: path }, o).then(
      () => `removed pins ${path} of a dead run on ${node}`,
      (e: unknown) => toSkepError(e).message,
    );
    o.emit({ type: 'warning', text, context: { node, path } });
  }
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

import { setTimeout as delay } from 'node:timers/promises';
import { checkSkew, chooseT, nowUs, slowest, untilPast } from '../cut/clock.ts';
import {
  clockChanges,
  type EvidenceFinding,
  gaps,
  topologyChanges,
  truncationChanges,
  writtenAhead,
} from '../cut/evidence.ts';
import { discover } from '../discovery/discover.ts';
import type { Topology } from '../discovery/topology.ts';
import { clearSnapshotArgs, nodetool, nodetoolArgv, snapshotArgs } from '../drivers/cassandra/nodetool.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Truncation } from '../protocol/methods.ts';
import type { Cleanup } from './cleanup.ts';
import { agentOf, type Connections, measureClocks, onCassandraNodes } from './connections.ts';
import type { Cut } from './details.ts';
import { givingBack } from './fresh-agent.ts';
import { readTruncations, streamedSince } from './node-state.ts';
import { importedSince, markCassandraLogs, type MarkedLogs } from './import-evidence.ts';
import { snapshotError } from './snapshot-error.ts';
import { stage } from './stage.ts';

/** A cut that has its `T` but not yet its evidence: snapshots are made, segments are being pinned. */
export interface OpenCut {
  T: bigint;
  tag: string;
  topology: Topology;
  clocks: Cut['clocks'];
  snapshots: Cut['snapshots'];
  /** Writes in the snapshots that are stamped after `T`. */
  ahead: EvidenceFinding[];
  truncated: Map<string, Truncation[]>;
  logs: MarkedLogs;
  /** When the first snapshot was begun, by the slowest clock of the nodes. */
  firstSnapshotMs: number;
}

/** A sync may take a while itself. */
const SYNC_MARGIN_MS = 1_000;

interface CutOptions {
  run: string;
  attempt: number;
  topology: Topology;
  signal: AbortSignal;
  emit: Emit;
  cleanup: Cleanup;
}

/** Pins, snapshots, `T`. Resolves when every node's clock is past `T`; whatever it made is in `cleanup`. */
export async function openCut(c: Connections, o: CutOptions): Promise<OpenCut> {
  const { signal, emit } = o;
  const { keyspace } = c.cluster.cassandra;
  const tag = `skep-${o.run}-${o.attempt}`;
  await stage(emit, 'pin', 'pinning the commit logs', () =>
    onCassandraNodes(c, async (agent, node) => {
      const { commitlogDir } = nodeOf(o.topology, node);
      o.cleanup.add(`pins on ${node}`, () => agent.call('pin.clear', { run: o.run }));
      await agent.call('pin.start', { run: o.run, commitlogDir }, { signal });
    }),
  );
  const truncated = await readTruncations(c.cql);
  const logs = await markCassandraLogs(c, signal);
  const firstSnapshotUs = nowUs();
  const snapshots = await stage(emit, 'snapshot', `snapshot of ${keyspace} on every node`, () =>
    onCassandraNodes(c, async (agent, node) => {
      const clear = clearSnapshotArgs(tag, keyspace);
      await agent.call('node.onExit', { id: tag, argv: nodetoolArgv(c.cluster, node, clear) });
      const { dataDirs } = nodeOf(o.topology, node);
      o.cleanup.add(`snapshot on ${node}`, () =>
        givingBack(c, node, async (agents) => {
          const a = agentOf(agents, node, 'cassandra');
          await nodetool(a, c.cluster, clear);
          const { tags } = await a.call('snapshot.leftovers', { dataDirs, keyspace, prefix: tag });
          if (tags.length > 0)
            throw new SkepError('command-failed', `nodetool did not clear snapshot ${tag} on ${node}`);
          await a.call('node.offExit', { id: tag });
        }),
      );
      const startedUs = nowUs();
      // To its end: Cassandra goes on with it in any case, and would make folders again behind whoever clears them.
      await nodetool(agent, c.cluster, snapshotArgs(tag, keyspace, c.cluster.cut.snapshot_ttl), {
        signal,
        toEnd: true,
        timeoutMs: 600_000,
      }).catch(async (e: unknown) => {
        throw await snapshotError(agent, e, dataDirs);
      });
      const endedUs = nowUs();
      const what = { dataDirs, keyspace, tag, tables: o.topology.tables };
      const { newest } = await agent.call('snapshot.check', what, { signal });
      return { node, startedUs, endedUs, newest };
    }),
  );
  const clocks = await measureClocks(c.agents);
  checkSkew(clocks, c.cluster.cut.max_clock_skew);
  const T = chooseT(nowUs(), clocks);
  await delay(untilPast(T, nowUs(), clocks), undefined, { signal });
  const firstSnapshotMs = Math.floor(slowest(firstSnapshotUs, clocks) / 1000);
  const all = [...snapshots.values()];
  return {
    T,
    tag,
    topology: o.topology,
    clocks,
    snapshots: all.map(({ node, startedUs, endedUs }) => ({ node, startedUs, endedUs })),
    ahead: all.flatMap(({ node, newest }) => writtenAhead(node, newest, T)),
    truncated,
    logs,
    firstSnapshotMs,
  };
}

/**
 * Waits until a commit that was stamped before `T` has ended everywhere, ends the pinning, and waits until what is pinned
 * is on the commit logs' disks. Gives, for each node, the ids of the segments that hold it.
 */
export async function linger(
  c: Connections,
  cut: OpenCut,
  run: string,
  signal: AbortSignal,
): Promise<Map<string, string[]>> {
  const past = cut.T + BigInt(c.cluster.cut.linger) * 1000n;
  await delay(untilPast(past, nowUs(), cut.clocks), undefined, { signal });
  const segments = await onCassandraNodes(c, async (agent) => {
    const pinned = await agent.call('pin.freeze', { run }, { signal });
    return pinned.segments.map((s) => s.id);
  });
  const syncMs = Math.max(...cut.topology.nodes.map((n) => n.commitlogSyncMs));
  await delay(syncMs + SYNC_MARGIN_MS, undefined, { signal });
  return segments;
}

/**
 * What is known against the cut when the linger has ended; the segments' own contents are judged when they are read.
 * What happens later, while the bytes are stored, does not touch the cut.
 */
export async function cutFindings(c: Connections, cut: OpenCut, run: string): Promise<EvidenceFinding[]> {
  const findings: EvidenceFinding[] = [];
  for (const n of cut.topology.nodes) {
    const pinned = await agentOf(c.agents, n.name, 'cassandra').call('pin.list', { run });
    for (const segment of pinned.missed) findings.push({ kind: 'segment-missed', node: n.name, segment });
    findings.push(
      ...gaps(
        n.name,
        pinned.segments.map((s) => s.id),
      ),
    );
  }
  findings.push(...topologyChanges(cut.topology, await discover(c.cluster, c.cql)));
  const clocks = await measureClocks(c.agents);
  checkSkew(clocks, c.cluster.cut.max_clock_skew);
  findings.push(...clockChanges(cut.clocks, clocks, c.cluster.cut.max_clock_skew));
  findings.push(...(await streamedSince(c.cql, cut.firstSnapshotMs)));
  findings.push(...(await importedSince(c, cut.logs)));
  return findings;
}

/** Tables that were truncated between the reading before the snapshots and now, which must be past `T`. */
export async function truncationFindings(c: Connections, cut: OpenCut): Promise<EvidenceFinding[]> {
  const now = await readTruncations(c.cql);
  return [...now].flatMap(([node, after]) => truncationChanges(node, cut.truncated.get(node) ?? [], after));
}

export function nodeOf(topology: Topology, name: string): Topology['nodes'][number] {
  const node = topology.nodes.find((n) => n.name === name);
  if (!node) throw new Error(`no node ${name} in the topology`);
  return node;
}

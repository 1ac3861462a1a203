import {
  describeFinding,
  type EvidenceFinding,
  schemaDisagreement,
  topologyChanges,
  worthAnotherTry,
} from '../cut/evidence.ts';
import { discover } from '../discovery/discover.ts';
import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import type { Results } from '../protocol/methods.ts';
import { type BackupWork, targetOf } from './backup-work.ts';
import { readSeqNos, type SearchSnapshot, snapshotSearch } from './capture-search.ts';
import { onCassandraNodes } from './connections.ts';
import type { Details } from './details.ts';
import { checkStreamsAreNoted } from './node-state.ts';
import { readSchema } from './read-schema.ts';
import { agreement } from './restore-schema.ts';
import { stage } from './stage.ts';
import { cutFindings, linger, nodeOf, type OpenCut, openCut, truncationFindings } from './take-cut.ts';

export interface GoodCut {
  cut: OpenCut;
  /** As it was from before the first pin to the end of the linger. */
  schema: Details['schema'];
  search: SearchSnapshot;
  cassandra: Map<string, Results['capture.segments'] & { ids: string[] }>;
}

type Try = { good: GoodCut; findings: [] } | { good: undefined; findings: EvidenceFinding[] };

/** Takes the cut until its evidence is whole, at most `cut.attempts` times. Errors: `cut-refused`, and of its parts. */
export async function cutUntilGood(w: BackupWork): Promise<GoodCut & { attempts: number }> {
  const limit = w.c.cluster.cut.attempts;
  for (let attempt = 1; ; attempt++) {
    const { good, findings } = await tryCut(w, attempt);
    await releaseCut(w);
    if (good) return { ...good, attempts: attempt };
    const text = findings.map(describeFinding).join('; ');
    if (attempt >= limit || !worthAnotherTry(findings)) {
      throw new SkepError('cut-refused', `no cut in ${attempt} ${attempt === 1 ? 'try' : 'tries'}: ${text}`, {
        context: { attempts: attempt, findings },
      });
    }
    w.emit({ type: 'warning', text: `the cut is taken again: ${text}`, context: { attempt, findings } });
    await w.cleanup.runNow('elasticsearch snapshot');
  }
}

/** Ends the storing of a cut that is known to be no good. */
class Spoiled extends Error {
  readonly findings: EvidenceFinding[];

  constructor(findings: EvidenceFinding[]) {
    super('the cut cannot be trusted');
    this.findings = findings;
  }
}

async function tryCut(w: BackupWork, attempt: number): Promise<Try> {
  const { c } = w;
  // Anew for each try: what has changed before it does not harm it.
  await agreement(c, w.signal);
  const topology = await discover(c.cluster, c.cql);
  const moved = topologyChanges(w.topology, topology).filter((f) => f.kind === 'topology-changed');
  const findings = [...moved, ...schemaDisagreement(topology)];
  if (findings.length > 0) return { good: undefined, findings };
  await checkStreamsAreNoted(c.cql);
  try {
    return await tryCutOf(w, topology, attempt);
  } catch (e) {
    if (w.signal.aborted) throw e;
    // A table that went, or a node that was restarted, may show as any failure: another try may do.
    const changed = await discover(c.cluster, c.cql).then(
      (now) => topologyChanges(topology, now),
      () => [],
    );
    if (changed.length === 0) throw e;
    return { good: undefined, findings: changed };
  }
}

async function tryCutOf(w: BackupWork, topology: Topology, attempt: number): Promise<Try> {
  const { c, emit, run } = w;
  const schema = await readSchema(c, emit);
  const before = await readSeqNos(c);
  // One failure stops the other parts of this try at once.
  const failed = new AbortController();
  const signal = AbortSignal.any([w.signal, failed.signal]);
  const cut = await openCut(c, { run, attempt, topology, signal, emit, cleanup: w.cleanup });
  const spoiled = [...cut.ahead, ...(await truncationFindings(c, cut))];
  if (spoiled.length > 0) return { good: undefined, findings: spoiled };
  const lingered = stage(emit, 'linger', 'letting commits that were in flight end', async () => {
    const segments = await linger(c, cut, run, signal);
    const found = await cutFindings(c, cut, run);
    if (found.length > 0) throw new Spoiled(found);
    return segments;
  });
  const together = [
    lingered,
    snapshotSearch(c, { run, attempt, T: cut.T, clocks: cut.clocks, before, signal, emit, cleanup: w.cleanup }),
    captureSnapshots(w, cut, signal),
  ] as const;
  for (const p of together) p.catch((e) => failed.abort(e));
  const [segments, search] = await Promise.allSettled(together);
  if (failed.signal.reason instanceof Spoiled) return { good: undefined, findings: failed.signal.reason.findings };
  if (segments.status === 'rejected' || search.status === 'rejected' || failed.signal.aborted)
    throw failed.signal.reason;
  const cassandra = await captureSegments(w, cut, schema, segments.value);
  const findings: EvidenceFinding[] = [];
  for (const [node, { evidence }] of cassandra) {
    if (evidence.unsynced > 0) findings.push({ kind: 'unsynced-tail', node, mutations: evidence.unsynced });
  }
  if (findings.length > 0) return { good: undefined, findings };
  return { good: { cut, schema, search: search.value, cassandra }, findings: [] };
}

function captureSegments(w: BackupWork, cut: OpenCut, schema: Details['schema'], segments: Map<string, string[]>) {
  return stage(w.emit, 'segments', 'storing and reading the commit log segments', () =>
    onCassandraNodes(w.c, async (agent, node) => {
      const done = await agent.call(
        'capture.segments',
        {
          target: targetOf(w, node, 'cassandra'),
          T: String(cut.T),
          schema: schema.rows,
          truncated: cut.truncated.get(node) ?? [],
          foreign: schema.foreign,
        },
        { signal: w.signal },
      );
      return { ...done, ids: segments.get(node) ?? [] };
    }),
  );
}

function captureSnapshots(w: BackupWork, cut: OpenCut, signal: AbortSignal): Promise<unknown> {
  const { keyspace } = w.c.cluster.cassandra;
  return stage(w.emit, 'sstables', 'storing the snapshots', () =>
    onCassandraNodes(w.c, async (agent, node) => {
      const stored = await agent.call(
        'capture.cassandra',
        {
          target: targetOf(w, node, 'cassandra'),
          dataDirs: nodeOf(cut.topology, node).dataDirs,
          keyspace,
          tag: cut.tag,
          tables: cut.topology.tables,
        },
        {
          signal,
          onProgress: (p) => w.emit({ type: 'progress', node, store: 'cassandra', stage: 'sstables', ...p }),
        },
      );
      // Beside the linger: to start nodetool takes seconds, for which pins would have to be held.
      await w.cleanup.runNow(`snapshot on ${node}`);
      return stored;
    }),
  );
}

/** Pins of a try, and snapshots of one that failed, are given back at once. */
function releaseCut(w: BackupWork): Promise<unknown> {
  return stage(w.emit, 'release', 'giving pins and snapshots back', () =>
    onCassandraNodes(w.c, async (_, node) => {
      await w.cleanup.runNow(`snapshot on ${node}`);
      await w.cleanup.runNow(`pins on ${node}`);
    }),
  );
}

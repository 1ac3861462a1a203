import { setTimeout as delay } from 'node:timers/promises';
import { type IndexState, readIndices } from '../drivers/elasticsearch/indices.ts';
import { type Graph, openGraph } from '../drivers/janusgraph/client.ts';
import { closeStaleInstances, reconcile } from '../drivers/janusgraph/reconcile.ts';
import { SkepError } from '../errors.ts';
import type { Connections } from './connections.ts';
import type { Details } from './details.ts';
import { reindexByTheHive } from './reindex-by-thehive.ts';

export interface ReconcileResult {
  mode: 'janusgraph' | 'thehive' | 'none';
  /** Documents without a vertex, removed. */
  ghosts: number;
  /** Documents written again. */
  reindexed: number;
}

const READY_MS = 300_000;

/** Makes the index follow the graph in the configured way, then compares its settings and mapping with the backup's. */
export async function reconcileIndex(c: Connections, details: Details, signal: AbortSignal): Promise<ReconcileResult> {
  const mode = c.cluster.index.reconcile;
  let result: ReconcileResult = { mode, ghosts: 0, reindexed: 0 };
  if (mode === 'janusgraph') result = { mode, ...(await byJanusGraph(c, details, signal)) };
  else if (mode === 'thehive') result = { mode, ...(await reindexByTheHive(c, details.search.indices, signal)) };
  const live = await readIndices(c.search, c.cluster.elasticsearch.index);
  for (const wanted of details.search.indices)
    checkShape(
      wanted,
      live.find((i) => i.name === wanted.name),
    );
  return result;
}

async function byJanusGraph(c: Connections, details: Details, signal: AbortSignal) {
  const config = c.cluster.index.janusgraph;
  const graph = await openWhenReady(c, signal);
  try {
    await closeStaleInstances(graph, BigInt(details.cut.T));
    let [ghosts, reindexed] = [0, 0];
    for (const index of details.search.indices) {
      const done = await reconcile(graph, c.search, index.name, config?.mixed_index ?? 'global');
      ghosts += done.ghosts;
      reindexed += done.reindexed;
    }
    return { ghosts, reindexed };
  } finally {
    graph.close();
  }
}

async function openWhenReady(c: Connections, signal: AbortSignal): Promise<Graph> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      return await openGraph(c.cluster);
    } catch (e) {
      if (!(e instanceof SkepError && e.retryable) || Date.now() > deadline) throw e;
      await delay(1000, undefined, { signal });
    }
  }
}

/** Settings that say where and when an index was made, not how it behaves. */
const INCIDENTAL = new Set([
  'uuid',
  'creation_date',
  'creation_date_string',
  'version',
  'provided_name',
  'resize',
  'routing',
  'history',
  'blocks',
  'lifecycle',
  'priority',
]);

function checkShape(wanted: IndexState, live: IndexState | undefined): void {
  const name = wanted.name;
  if (!live) throw new SkepError('restore-failed', `elasticsearch has no index ${name} after the restore`);
  const settings = (i: IndexState) =>
    stable(Object.fromEntries(Object.entries(i.settings).filter(([k]) => !INCIDENTAL.has(k))));
  const differs = [
    ...(settings(wanted) === settings(live) ? [] : ['settings']),
    ...(stable(wanted.mappings) === stable(live.mappings) ? [] : ['mapping']),
    ...(stable(wanted.aliases) === stable(live.aliases) ? [] : ['aliases']),
  ];
  if (differs.length === 0) return;
  throw new SkepError('restore-failed', `${name} came back with other ${differs.join(' and ')} than the backup has`, {
    hint: `Compare \`GET ${name}\` with \`skep show --json\`; the index must be made again with the backup's mapping.`,
    context: { index: name, differs },
  });
}

/** JSON with sorted keys. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_k, v: unknown) =>
    v !== null && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

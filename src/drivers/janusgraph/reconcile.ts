import { setTimeout as delay } from 'node:timers/promises';
import { SkepError } from '../../errors.ts';
import type { Search } from '../elasticsearch/client.ts';
import { deleteDocuments } from '../elasticsearch/delete-documents.ts';
import type { Graph } from './client.ts';

const BATCH = 1000;
const OTHER_JOB_MS = 3_600_000;

/**
 * Instances that were open at the cut look open after a restore; one with a fixed id would then refuse to start. Those that
 * run now have registered since: they stay, or they would no longer hear of changes of the schema.
 */
const CLOSE_STALE = `
graph.tx().rollback()
mgmt = graph.openManagement()
cut = java.time.Instant.ofEpochMilli(Long.parseLong(cutMs))
stale = mgmt.getOpenInstances().findAll { id ->
  started = id.endsWith('(current)') ? null : mgmt.get('system-registration.' + id + '.startup-time')
  started != null && !java.time.Instant.parse(started).isAfter(cut)
}
stale.each { mgmt.forceCloseInstance(it) }
mgmt.commit()
stale.size().toString()`;

/** Every vertex, as the id of its document. */
const VERTICES = `
graph.tx().rollback()
g.V().id().map { org.janusgraph.util.encoding.LongEncoding.encode(it.get()) }`;

const REINDEX = `
graph.tx().rollback()
mgmt = graph.openManagement()
metrics = mgmt.updateIndex(mgmt.getGraphIndex(mixedIndex), SchemaAction.REINDEX).get()
mgmt.commit()
(metrics == null ? 0L : metrics.getCustom('adds')).toString()`;

/**
 * Closes the instances that had registered by `T` (µs), and are only left over from the time of the backup; returns how
 * many. May be repeated.
 */
export async function closeStaleInstances(graph: Graph, T: bigint): Promise<number> {
  return Number((await graph.run(CLOSE_STALE, { cutMs: String(T / 1000n) }))[0] ?? 0);
}

export interface Reconciled {
  vertices: number;
  /** Documents without a vertex, removed. */
  ghosts: number;
  /** Documents that JanusGraph wrote again. */
  reindexed: number;
}

/**
 * Makes the index follow the graph: documents without a vertex are removed, all vertices are indexed again by
 * JanusGraph itself. The graph is the truth. May be repeated.
 */
export async function reconcile(graph: Graph, search: Search, index: string, mixedIndex: string): Promise<Reconciled> {
  const vertices = new Set(await graph.run(VERTICES));
  const ghosts = await removeGhosts(search, index, vertices);
  const adds = await reindex(graph, mixedIndex);
  await search.request('POST', `/${index}/_refresh`);
  return { vertices: vertices.size, ghosts, reindexed: adds };
}

/** A job that an interrupted call has left goes on in the server, and bars another one until it is done. */
async function reindex(graph: Graph, mixedIndex: string): Promise<number> {
  const deadline = Date.now() + OTHER_JOB_MS;
  for (;;) {
    try {
      return Number((await graph.run(REINDEX, { mixedIndex }))[0] ?? 0);
    } catch (e) {
      if (Date.now() > deadline || !/already running|another job/i.test((e as Error).message)) throw e;
      await delay(2_000);
    }
  }
}

async function removeGhosts(search: Search, index: string, vertices: ReadonlySet<string>): Promise<number> {
  let ghosts = 0;
  await search.request('POST', `/${index}/_refresh`);
  if (vertices.size === 0) await refuseToEmpty(search, index);
  for await (const ids of documentIds(search, index)) {
    const gone = ids.filter((id) => !vertices.has(id));
    if (gone.length > 0) {
      await deleteDocuments(
        search,
        gone.map((id) => ({ index, id })),
      );
    }
    ghosts += gone.length;
  }
  return ghosts;
}

/** A graph without any vertex is more likely the wrong one: every document would go. */
async function refuseToEmpty(search: Search, index: string): Promise<void> {
  const { count } = await search.request<{ count: number }>('GET', `/${index}/_count`);
  if (count === 0) return;
  throw new SkepError('restore-failed', `the graph shows no vertex, but ${index} has ${count} documents`, {
    hint: "Check that `index.janusgraph.url` serves this cluster's graph, then run the same `skep restore` again.",
    context: { index, documents: count },
  });
}

/** Ids of all documents of an index, in batches. */
async function* documentIds(search: Search, index: string): AsyncGenerator<string[]> {
  interface Page {
    _scroll_id: string;
    hits: { hits: { _id: string }[] };
  }
  let page = await search.request<Page>('POST', `/${index}/_search`, {
    query: { scroll: '5m', allow_partial_search_results: false },
    body: { size: BATCH, _source: false, sort: ['_doc'] },
  });
  try {
    while (page.hits.hits.length > 0) {
      yield page.hits.hits.map((h) => h._id);
      page = await search.request<Page>('POST', '/_search/scroll', {
        body: { scroll: '5m', scroll_id: page._scroll_id },
      });
    }
  } finally {
    await search.request('DELETE', '/_search/scroll', { body: { scroll_id: page._scroll_id } });
  }
}

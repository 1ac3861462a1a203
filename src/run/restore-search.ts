import { setTimeout as delay } from 'node:timers/promises';
import type { Search } from '../drivers/elasticsearch/client.ts';
import { type IndexState, readIndices } from '../drivers/elasticsearch/indices.ts';
import {
  awaitSnapshot,
  registerRepository,
  startSnapshot,
  unregisterRepository,
} from '../drivers/elasticsearch/snapshots.ts';
import { putTemplates } from '../drivers/elasticsearch/templates.ts';
import { SkepError } from '../errors.ts';
import type { Connections } from './connections.ts';
import type { Details } from './details.ts';

const BESIDE = 'skep-restored-';
/** Settings that belong to one index as an object, or that Elasticsearch sets itself. */
const LIFECYCLE = ['index.lifecycle.*'];

/**
 * A snapshot of what is there now, into a repository of its own that is kept for undo. Gives the names of the indices.
 * May be repeated.
 */
export async function snapshotSearchForUndo(c: Connections, run: string, signal: AbortSignal): Promise<string[]> {
  const { index, audits, staging } = c.cluster.elasticsearch;
  const live = [...(await readIndices(c.search, index)), ...(await readIndices(c.search, audits))].map((i) => i.name);
  if (live.length === 0) return live;
  const name = repositoryName('undo', run);
  await registerRepository(c.search, name, `${staging.location}/undo-${run}`);
  // A name of its own for each try: an interrupted one may be half there.
  const snapshot = `undo-${Date.now()}`;
  await startSnapshot(c.search, name, snapshot, live);
  await awaitSnapshot(c.search, name, snapshot, live, { signal });
  return live;
}

/** Folder below the staging folder into which the backup's snapshot is laid out. */
export function restoreFolder(c: Connections, run: string): string {
  return `${c.cluster.elasticsearch.staging.location}/restore-${run}`;
}

/**
 * Restores the indices beside the old ones, counts them, and only then swaps; then the audit log under its own names.
 * The files have been laid out in `restoreFolder`; `kept` are the indices of the undo snapshot. May be repeated.
 */
export async function restoreSearch(
  c: Connections,
  details: Details,
  o: { run: string; kept: readonly string[]; signal: AbortSignal },
): Promise<void> {
  const { search } = c;
  const { run, kept, signal } = o;
  const repository = repositoryName('restore', run);
  await registerRepository(search, repository, restoreFolder(c, run), { readonly: true });
  const { snapshot, indices, audits, templates, policies } = details.search;
  for (const [name, policy] of Object.entries(policies)) {
    await search.request('PUT', `/_ilm/policy/${encodeURIComponent(name)}`, { body: { policy } });
  }
  await putTemplates(search, templates);
  for (const index of indices) await swapIn(search, repository, snapshot, index, signal);
  await removeLater(search, c.cluster.elasticsearch.index, indices, kept);
  // Before the older ones come back: of the indices behind an alias only one can be the one that is written to.
  await removeLater(search, c.cluster.elasticsearch.audits, audits, kept);
  for (const index of audits) await restoreAudits(search, repository, snapshot, index, signal);
  await unregisterRepository(search, repository);
}

/** Removes indices that were made after the backup (a rollover, a new index): they lie in the undo snapshot. */
async function removeLater(
  search: Search,
  pattern: string,
  wanted: readonly IndexState[],
  kept: readonly string[],
): Promise<void> {
  for (const { name } of await readIndices(search, pattern)) {
    if (wanted.some((i) => i.name === name)) continue;
    if (!kept.includes(name)) {
      throw new SkepError('restore-failed', `index ${name} was made while the restore was running`, {
        hint: 'Stop what writes to Elasticsearch and remove that index, then run the same `skep restore`.',
        context: { index: name },
      });
    }
    await remove(search, name);
  }
}

async function swapIn(
  search: Search,
  repository: string,
  snapshot: string,
  index: IndexState,
  signal: AbortSignal,
): Promise<void> {
  const beside = `${BESIDE}${index.name}`;
  await remove(search, beside);
  await restoreIndex(search, repository, snapshot, index.name, beside);
  await whole(search, beside, signal);
  const count = await countDocs(search, beside);
  if (count === 0 && index.docs > 0) {
    throw new SkepError('restore-failed', `${index.name} came back empty, the backup had ${index.docs} documents`);
  }
  await remove(search, index.name);
  // Not a clone: that leaves settings of its own behind (`routing_partition_size`, `resize`) and takes no aliases along.
  await restoreIndex(search, repository, snapshot, index.name, index.name);
  await whole(search, index.name, signal);
  if ((await countDocs(search, index.name)) !== count) {
    throw new SkepError('restore-failed', `${index.name} has not the ${count} documents that were restored`);
  }
  await remove(search, beside);
}

/** Under its own name at once: a clone would lose what lifecycle management knows of the index. */
async function restoreAudits(
  search: Search,
  repository: string,
  snapshot: string,
  index: IndexState,
  signal: AbortSignal,
): Promise<void> {
  await remove(search, index.name);
  await restoreIndex(search, repository, snapshot, index.name, index.name);
  await whole(search, index.name, signal);
}

async function restoreIndex(search: Search, repository: string, snapshot: string, from: string, to: string) {
  const r = await search.request<{ snapshot?: { shards: { total: number; failed: number; successful: number } } }>(
    'POST',
    `/_snapshot/${repository}/${snapshot}/_restore`,
    {
      query: { wait_for_completion: true },
      timeoutMs: 24 * 3_600_000,
      body: {
        indices: from,
        include_global_state: false,
        feature_states: ['none'],
        include_aliases: from === to,
        ignore_index_settings: LIFECYCLE,
        ...(from === to ? {} : { rename_pattern: '^.+$', rename_replacement: to }),
      },
    },
  );
  const shards = r.snapshot?.shards;
  if (!shards || shards.failed > 0 || shards.successful !== shards.total || shards.total === 0) {
    throw new SkepError(
      'restore-failed',
      `elasticsearch restored ${shards?.successful ?? 0} of ${shards?.total ?? '?'} shards of ${from}`,
    );
  }
}

/** Every primary is there. Replicas come by themselves, or never: a single node has no place for them. */
async function whole(search: Search, index: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + 600_000;
  for (;;) {
    const h = await search.request<{ status: string; timed_out: boolean }>('GET', `/_cluster/health/${index}`);
    if (h.status !== 'red') return;
    if (Date.now() > deadline)
      throw new SkepError('restore-failed', `${index} is ${h.status} ten minutes after its restore`);
    await delay(200, undefined, { signal });
  }
}

async function countDocs(search: Search, index: string): Promise<number> {
  await search.request('POST', `/${index}/_refresh`);
  return (await search.request<{ count: number }>('GET', `/${index}/_count`)).count;
}

function remove(search: Search, index: string): Promise<unknown> {
  return search.request('DELETE', `/${encodeURIComponent(index)}`, { query: { ignore_unavailable: true } });
}

function repositoryName(kind: 'undo' | 'restore', run: string): string {
  return `skep-${kind}-${run.toLowerCase()}`;
}

/** Puts lifecycle settings back on the audit log, when all else is done: it may delete an old index at once. */
export async function restoreLifecycle(c: Connections, details: Details): Promise<void> {
  for (const index of details.search.audits) {
    const lifecycle = index.settings.lifecycle;
    if (lifecycle === undefined) continue;
    await c.search.request('PUT', `/${encodeURIComponent(index.name)}/_settings`, { body: { index: { lifecycle } } });
  }
}

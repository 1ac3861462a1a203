import { setTimeout as delay } from 'node:timers/promises';
import { SkepError } from '../../errors.ts';
import { type Search, statusOf } from './client.ts';

/** The name under which skep registers its staging repository. */
export const STAGING = 'skep-staging';

/** The folder below `staging.location` that holds the snapshots of backups. */
export function stagingFolder(location: string): string {
  return `${location}/current`;
}

/**
 * Registers a folder as a snapshot repository, and has every node verify it. May be repeated: one that is there as it
 * should be is left alone, since Elasticsearch refuses to register one anew while a snapshot or restore uses it.
 */
export async function registerRepository(
  search: Search,
  name: string,
  location: string,
  opts: { readonly?: boolean } = {},
): Promise<string[]> {
  if (!(await isRegistered(search, name, location, opts.readonly === true))) {
    await search.request('PUT', `/_snapshot/${name}`, {
      query: { verify: false },
      body: { type: 'fs', settings: { location, ...(opts.readonly ? { readonly: true } : {}) } },
    });
  }
  const r = await search.request<{ nodes: Record<string, { name: string }> }>('POST', `/_snapshot/${name}/_verify`);
  return Object.values(r.nodes).map((n) => n.name);
}

async function isRegistered(search: Search, name: string, location: string, readonly: boolean): Promise<boolean> {
  try {
    const found = await search.request<
      Record<string, { type: string; settings: { location?: string; readonly?: string } }>
    >('GET', `/_snapshot/${name}`);
    const { type, settings } = found[name] ?? { type: '', settings: {} };
    return type === 'fs' && settings.location === location && (settings.readonly === 'true') === readonly;
  } catch (e) {
    if (statusOf(e) === 404) return false;
    throw e;
  }
}

export async function unregisterRepository(search: Search, name: string): Promise<void> {
  await ignoreMissing(search.request('DELETE', `/_snapshot/${name}`));
}

/** An Elasticsearch snapshot's name for a run: lower case. */
export function snapshotName(run: string): string {
  return `skep-${run.toLowerCase()}`;
}

/** Starts a snapshot; it runs on when this resolves. */
export async function startSnapshot(
  search: Search,
  repository: string,
  snapshot: string,
  indices: readonly string[],
): Promise<void> {
  await search.request('PUT', `/_snapshot/${repository}/${snapshot}`, {
    query: { wait_for_completion: false },
    body: {
      indices: indices.join(','),
      ignore_unavailable: false,
      include_global_state: false,
      feature_states: ['none'],
      partial: false,
    },
  });
}

interface RawSnapshot {
  state: string;
  indices: string[];
  shards?: { total: number; failed: number; successful: number };
  failures?: { index?: string; shard_id?: number; reason?: string }[];
  start_time_in_millis?: number;
  end_time_in_millis?: number;
}

export interface SnapshotOutcome {
  startMs: number;
  endMs: number;
  shards: number;
  indices: string[];
}

/**
 * Waits until a snapshot has ended by polling the snapshot itself. Only `SUCCESS` with every shard and every index is
 * success; `PARTIAL`, `FAILED` and a vanished snapshot are `snapshot-failed`.
 */
export async function awaitSnapshot(
  search: Search,
  repository: string,
  snapshot: string,
  indices: readonly string[],
  opts: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<SnapshotOutcome> {
  for (;;) {
    opts.signal?.throwIfAborted();
    const s = await readSnapshot(search, repository, snapshot);
    if (!s) throw new SkepError('snapshot-failed', `elasticsearch has lost snapshot ${snapshot}`);
    if (s.state !== 'IN_PROGRESS') return judge(s, snapshot, indices);
    opts.onProgress?.(s.shards?.successful ?? 0, s.shards?.total ?? 0);
    await delay(200, undefined, opts.signal ? { signal: opts.signal } : {});
  }
}

async function readSnapshot(search: Search, repository: string, name: string): Promise<RawSnapshot | undefined> {
  try {
    const { snapshots } = await search.request<{ snapshots: RawSnapshot[] }>('GET', `/_snapshot/${repository}/${name}`);
    return snapshots[0];
  } catch (e) {
    if (statusOf(e) === 404) return undefined;
    throw e;
  }
}

function judge(s: RawSnapshot, snapshot: string, indices: readonly string[]): SnapshotOutcome {
  const { total = 0, failed = 0, successful = 0 } = s.shards ?? {};
  const absent = indices.filter((i) => !s.indices.includes(i));
  if (s.state !== 'SUCCESS' || failed > 0 || successful !== total || total === 0 || absent.length > 0) {
    const why = s.failures?.[0]?.reason ?? (absent.length > 0 ? `without ${absent.join(', ')}` : 'no reason given');
    throw new SkepError('snapshot-failed', `elasticsearch snapshot ended ${s.state}, ${failed} shards failed: ${why}`, {
      context: { snapshot, state: s.state, failed, total, absent },
    });
  }
  return {
    startMs: s.start_time_in_millis ?? 0,
    endMs: s.end_time_in_millis ?? 0,
    shards: total,
    indices: s.indices,
  };
}

/** Deletes a snapshot if it is there, running or not. May be repeated. */
export async function deleteSnapshot(search: Search, repository: string, snapshot: string): Promise<void> {
  await ignoreMissing(search.request('DELETE', `/_snapshot/${repository}/${snapshot}`, { timeoutMs: 300_000 }));
}

/** Names of skep's own snapshots in a repository. */
export async function listSnapshots(search: Search, repository: string): Promise<string[]> {
  const { snapshots } = await search.request<{ snapshots: { snapshot: string }[] }>(
    'GET',
    `/_snapshot/${repository}/_all`,
  );
  return snapshots.map((s) => s.snapshot).filter((s) => s.startsWith('skep-'));
}

async function ignoreMissing(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (e) {
    if (statusOf(e) !== 404) throw e;
  }
}

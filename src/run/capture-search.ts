import { setTimeout as delay } from 'node:timers/promises';
import { type ClockOffset, nowUs, untilPast } from '../cut/clock.ts';
import { type IndexState, readIndices, readSearchState } from '../drivers/elasticsearch/indices.ts';
import {
  awaitSnapshot,
  deleteSnapshot,
  listSnapshots,
  registerRepository,
  snapshotName,
  stagingFolder,
  STAGING,
  startSnapshot,
} from '../drivers/elasticsearch/snapshots.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Cleanup } from './cleanup.ts';
import type { Connections } from './connections.ts';
import type { Details } from './details.ts';

/** How long after `T` the snapshot begins: late enough to hold every index write of a commit acknowledged before it. */
const AFTER_T_MS = 2_000;

export interface SearchSnapshot {
  name: string;
  details: Details['search'];
}

/** Sequence numbers right before `T`: what was indexed later may have to be indexed again. */
export async function readSeqNos(c: Connections): Promise<IndexState[]> {
  const { index, audits } = c.cluster.elasticsearch;
  const indices = await readIndices(c.search, index);
  if (indices.length === 0) {
    throw new SkepError('preflight-failed', `elasticsearch has no index ${index}`, {
      hint: 'Check `elasticsearch.index` in skep.yaml; `GET _cat/indices` shows what is there.',
    });
  }
  return [...indices, ...(await readIndices(c.search, audits))];
}

/** Snapshot of the indices into the staging repository, begun after `T`; ended, and every shard of it good. */
export async function snapshotSearch(
  c: Connections,
  o: {
    run: string;
    attempt: number;
    T: bigint;
    clocks: readonly ClockOffset[];
    before: IndexState[];
    signal: AbortSignal;
    emit: Emit;
    cleanup: Cleanup;
  },
): Promise<SearchSnapshot> {
  const { staging, index, audits } = c.cluster.elasticsearch;
  const name = `${snapshotName(o.run)}-${o.attempt}`;
  await registerRepository(c.search, STAGING, stagingFolder(staging.location));
  const begin = o.T + BigInt(AFTER_T_MS) * 1000n;
  await delay(untilPast(begin, nowUs(), o.clocks), undefined, { signal: o.signal });
  const indices = o.before.map((i) => i.name);
  o.cleanup.add('elasticsearch snapshot', () => deleteSnapshot(c.search, STAGING, name));
  await startSnapshot(c.search, STAGING, name, indices);
  const outcome = await awaitSnapshot(c.search, STAGING, name, indices, {
    signal: o.signal,
    onProgress: (files, totalFiles) =>
      o.emit({
        type: 'progress',
        node: staging.node,
        store: 'elasticsearch',
        stage: 'shards',
        files,
        totalFiles,
        bytes: 0,
      }),
  });
  const state = await readSearchState(c.search, index, audits);
  return {
    name,
    details: {
      ...state,
      snapshot: name,
      startedMs: outcome.startMs,
      endedMs: outcome.endMs,
      shards: outcome.shards,
      seqNoBefore: Object.fromEntries(o.before.map((i) => [i.name, i.seqNo])),
    },
  };
}

/** Leaves only `keep` in the staging repository: its blobs are then those of one backup. */
export async function removeOlderSnapshots(c: Connections, keep: string): Promise<void> {
  for (const name of await listSnapshots(c.search, STAGING)) {
    if (name !== keep) await deleteSnapshot(c.search, STAGING, name);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { type ClockOffset, nowUs, untilPast } from '../cut/clock.ts';
import { type IndexState, readIndices, readSearchState, type SearchState } from '../drivers/elasticsearch/indices.ts';
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
import { stage } from './stage.ts';

/** How long after `T` the snapshot begins: late enough to hold every index write of a commit acknowledged before it. */
const AFTER_T_MS = 2_000;

/** How often a snapshot is taken when an index changes its shape meanwhile. */
const MAX_TRIES = 3;

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

interface SnapshotOptions {
  run: string;
  attempt: number;
  T: bigint;
  clocks: readonly ClockOffset[];
  before: IndexState[];
  signal: AbortSignal;
  emit: Emit;
  cleanup: Cleanup;
}

/**
 * Snapshot of the indices into the staging repository, begun after `T`; ended, and every shard of it good. Indices,
 * mappings and settings were the same before and after it, so they are those of the snapshot.
 */
export async function snapshotSearch(c: Connections, o: SnapshotOptions): Promise<SearchSnapshot> {
  const { staging, index, audits } = c.cluster.elasticsearch;
  await registerRepository(c.search, STAGING, stagingFolder(staging.location));
  const begin = o.T + BigInt(AFTER_T_MS) * 1000n;
  await delay(untilPast(begin, nowUs(), o.clocks), undefined, { signal: o.signal });
  for (let n = 1; ; n++) {
    const name = `${snapshotName(o.run)}-${o.attempt}-${n}`;
    // As they are now, not before `T`: an audit entry may have gone into an index that a rollover has made since.
    const was = await readSearchState(c.search, index, audits);
    const outcome = await stage(o.emit, 'search-snapshot', 'snapshot of the elasticsearch indices', () =>
      takeSnapshot(c, name, namesOf(was), o),
    );
    const is = await readSearchState(c.search, index, audits);
    const changed = shapeChange(was, is);
    if (changed === undefined) {
      return {
        name,
        details: {
          ...is,
          snapshot: name,
          startedMs: outcome.startMs,
          endedMs: outcome.endMs,
          shards: outcome.shards,
          seqNoBefore: Object.fromEntries(o.before.map((i) => [i.name, i.seqNo])),
        },
      };
    }
    if (n === MAX_TRIES) {
      throw new SkepError('snapshot-failed', `index ${changed} changed while it was being snapshotted, ${n} times`, {
        context: { index: changed },
      });
    }
    o.emit({ type: 'warning', text: `index ${changed} changed during its snapshot: it is taken again` });
    await deleteSnapshot(c.search, STAGING, name);
  }
}

async function takeSnapshot(c: Connections, name: string, indices: string[], o: SnapshotOptions) {
  const { node } = c.cluster.elasticsearch.staging;
  o.cleanup.add('elasticsearch snapshot', () => deleteSnapshot(c.search, STAGING, name));
  await startSnapshot(c.search, STAGING, name, indices);
  return awaitSnapshot(c.search, STAGING, name, indices, {
    signal: o.signal,
    onProgress: (files, totalFiles) =>
      o.emit({ type: 'progress', node, store: 'elasticsearch', stage: 'shards', files, totalFiles, bytes: 0 }),
  });
}

function namesOf(state: SearchState): string[] {
  return [...state.indices, ...state.audits].map((i) => i.name);
}

/** The first index that came, went, or has another mapping, settings or aliases; undefined when there is none. Pure. */
export function shapeChange(was: SearchState, is: SearchState): string | undefined {
  const shapes = (s: SearchState) =>
    new Map(
      [...s.indices, ...s.audits].map((i) => [i.name, JSON.stringify([i.uuid, i.settings, i.mappings, i.aliases])]),
    );
  const [a, b] = [shapes(was), shapes(is)];
  return [...a.keys(), ...b.keys()].find((name) => a.get(name) !== b.get(name));
}

/** Leaves only `keep` in the staging repository: its blobs are then those of one backup. Error: as `checkAlone`. */
export async function keepOnly(c: Connections, keep: string): Promise<void> {
  for (const name of await listSnapshots(c.search, STAGING)) {
    if (name !== keep) await deleteSnapshot(c.search, STAGING, name);
  }
  await checkAlone(c, keep);
}

/**
 * Fails (`snapshot-failed`) unless the staging repository holds this snapshot and no other: another run that writes
 * there may have taken its blobs away, or left some of its own half written.
 */
export async function checkAlone(c: Connections, name: string): Promise<void> {
  const there = await listSnapshots(c.search, STAGING);
  if (there.length === 1 && there[0] === name) return;
  throw new SkepError(
    'snapshot-failed',
    'another backup of this cluster used the staging repository at the same time',
    {
      hint: 'Wait until the other backup has ended, then run `skep backup` again.',
      context: { snapshot: name, there },
    },
  );
}

import { setTimeout as delay } from 'node:timers/promises';
import type { IndexState } from '../drivers/elasticsearch/indices.ts';
import { openTheHive } from '../drivers/thehive/client.ts';
import { SkepError } from '../errors.ts';
import type { Connections } from './connections.ts';

/** How long TheHive may take to begin, and how long without a write means that it has ended; ms. */
export interface Patience {
  beginMs: number;
  quietMs: number;
}

const PATIENCE: Patience = { beginMs: 300_000, quietMs: 30_000 };

/**
 * TheHive's own reindex, which runs in the background and says neither when it begins nor when it has ended: it is taken as
 * done when the index has been written to, and then not for a while. It does not remove documents whose entity is gone.
 * May be repeated. Errors: `restore-failed` when nothing is written, those of `openTheHive`.
 */
export async function reindexByTheHive(
  c: Pick<Connections, 'cluster' | 'search'>,
  indices: readonly Pick<IndexState, 'name' | 'docs'>[],
  signal: AbortSignal,
  patience: Patience = PATIENCE,
): Promise<{ ghosts: number; reindexed: number }> {
  const thehive = await openTheHive(c.cluster, signal);
  let reindexed = 0;
  for (const index of indices) {
    const before = await writesOf(c, index.name);
    await thehive.reindex(index.name.replace(/^thehive_/, ''));
    // Of an empty one nothing may ever be written.
    if (index.docs > 0) await begun(c, index.name, before, signal, patience);
    reindexed += (await quietWrites(c, index.name, signal, patience)) - before;
  }
  return { ghosts: 0, reindexed };
}

type Searching = Pick<Connections, 'search'>;

async function begun(c: Searching, index: string, before: number, signal: AbortSignal, o: Patience): Promise<void> {
  const deadline = Date.now() + o.beginMs;
  while ((await writesOf(c, index)) <= before) {
    if (Date.now() > deadline) {
      throw new SkepError('restore-failed', `TheHive was asked to index ${index} again and has written nothing`, {
        hint: "Look into TheHive's log, then run the same `skep restore` again: it goes on where it stopped.",
        context: { index },
      });
    }
    await delay(Math.min(1000, o.quietMs), undefined, { signal });
  }
}

async function quietWrites(c: Searching, index: string, signal: AbortSignal, o: Patience): Promise<number> {
  let last = -1;
  for (;;) {
    const now = await writesOf(c, index);
    if (now === last) return now;
    last = now;
    await delay(o.quietMs, undefined, { signal });
  }
}

async function writesOf(c: Searching, index: string): Promise<number> {
  const r = await c.search.request<{ _all: { primaries: { indexing: { index_total: number } } } }>(
    'GET',
    `/${encodeURIComponent(index)}/_stats/indexing`,
  );
  return r._all.primaries.indexing.index_total;
}

import { sentMicros } from '../ledger/clock.ts';
import { nextRun } from '../ledger/ledger-folder.ts';
import { LedgerWriter } from '../ledger/ledger-writer.ts';
import { openAttachments } from './attachment-store.ts';
import type { Endpoints } from './endpoints.ts';
import { GremlinClient } from './gremlin-client.ts';
import { Latencies, type LatencyStats, type Window } from './latencies.ts';
import { Pacer } from './pacer.ts';
import { SearchClient } from './search-client.ts';
import { setUpLoad } from './setup.ts';
import { runWriter } from './writer.ts';

export interface LoadOptions {
  endpoints: Endpoints;
  /** Folder of the ledger: `run-0001.ndjson` and so on, and the shapes of the indices before any load. */
  ledgerDir: string;
  seed: string;
  writers?: number;
  /** Transactions a second over all writers; absent = as fast as possible. */
  rate?: number;
  /** Stop by itself after so many transactions. */
  transactions?: number;
  auditReplicas?: number;
  liveCases?: number;
  minFileAgeMs?: number;
  timeoutMs?: number;
}

/** A load that runs. `stop` lets what is in flight end and gives the final figures; it may be called twice. */
export interface LoadHandle {
  readonly run: number;
  readonly ledgerFile: string;
  setRate(rate: number | undefined): Promise<void>;
  stats(window?: Window): Promise<LatencyStats>;
  stop(): Promise<LatencyStats>;
  /** Settles when the load has ended, for whatever reason; rejects when its ledger cannot be written. */
  readonly ended: Promise<void>;
}

/**
 * Starts writers that send one transaction after the other, each on cases of its own. A run begins with ids that no
 * earlier run of this ledger folder used, so a load may be killed and started again.
 */
export async function runLoad(options: LoadOptions): Promise<LoadHandle> {
  const { endpoints, ledgerDir, seed, writers = 8 } = options;
  await setUpLoad(endpoints, ledgerDir, options.auditReplicas ?? 1);
  const { run, ledgerFile } = await nextRun(ledgerDir, 'run');
  const ledger = await LedgerWriter.create(ledgerFile);
  const gremlin = new GremlinClient(endpoints.gremlinUrl);
  const search = new SearchClient(endpoints.elasticsearch);
  const close = async (): Promise<void> => {
    gremlin.close();
    await search.close();
    await ledger.close();
  };
  try {
    // The first scripts of a fresh server take seconds to compile: not the load's business.
    for (let i = 0; i < 3; i++) await gremlin.submit("g.V().has('uid', uid).toList(); 'warm'", { uid: 'none' });
    await ledger.append({ t: 'run', run, seed, writers, startedAtUs: sentMicros() });
  } catch (e) {
    await close();
    throw e;
  }

  const latencies = new Latencies(options.transactions);
  const pacer = new Pacer(writers, options.rate);
  const context = {
    run,
    seed,
    gremlin,
    search,
    ledger,
    pacer,
    latencies,
    attachments: openAttachments(endpoints),
    liveCases: options.liveCases ?? 60,
    minFileAgeMs: options.minFileAgeMs ?? 3_000,
    timeoutMs: options.timeoutMs ?? 120_000,
  };
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, latencies.reached]);
  const loops = Array.from({ length: writers }, (_, writer) => runWriter(writer, context, signal));
  const ended = untilEnded(loops, stopping, close);
  ended.catch(() => undefined);
  return {
    run,
    ledgerFile,
    ended,
    setRate: async (rate) => pacer.setRate(rate),
    stats: async (window) => latencies.stats(window),
    stop: async () => {
      stopping.abort();
      await ended;
      return latencies.stats();
    },
  };
}

/** Waits for all writers; one that cannot go on (its ledger is broken) ends the others too, and is what is thrown. */
async function untilEnded(
  loops: Promise<void>[],
  stopping: AbortController,
  close: () => Promise<void>,
): Promise<void> {
  try {
    await Promise.all(loops);
  } finally {
    stopping.abort();
    await Promise.allSettled(loops);
    await close();
  }
}

import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import cassandra from 'cassandra-driver';
import { SkepError } from '../../src/errors.ts';
import { ackedMicros, sentMicros } from '../ledger/clock.ts';
import { nextRun } from '../ledger/ledger-folder.ts';
import { LedgerWriter } from '../ledger/ledger-writer.ts';
import type { SideLine } from '../ledger/side-ledger.ts';
import type { Endpoints } from './endpoints.ts';

/** A plain table in the application's keyspace, which JanusGraph knows nothing of: it can be truncated. */
export const SIDE_TABLE = 'thehive.lab_rows';

/** A writer of single rows that runs. Truncations go through it, so that its ledger knows of them. */
export interface SideLoad {
  readonly run: number;
  readonly ledgerFile: string;
  /** TRUNCATE, as an operator would; rows that were being written meanwhile may stay or go. */
  truncate(): Promise<void>;
  /** Ends after the row in flight; gives how many rows were acknowledged. */
  stop(): Promise<number>;
}

/** Writes rows at QUORUM, about `rate` a second, each a transaction of its own in a ledger of its own. */
export async function runSideLoad(options: {
  endpoints: Endpoints;
  ledgerDir: string;
  rate?: number;
}): Promise<SideLoad> {
  const client = await connectSideTable(options.endpoints);
  await client.execute(`CREATE TABLE IF NOT EXISTS ${SIDE_TABLE} (id text PRIMARY KEY, body text)`);
  await mkdir(options.ledgerDir, { recursive: true });
  const { run, ledgerFile } = await nextRun(options.ledgerDir, 'side');
  const ledger = await LedgerWriter.create(ledgerFile);
  const append = (line: SideLine): Promise<void> => ledger.append(line);
  await append({ t: 'side-run', run, startedAtUs: sentMicros() });
  const stopping = new AbortController();
  let acked = 0;

  const write = async (): Promise<void> => {
    for (let seq = 1; !stopping.signal.aborted; seq++) {
      const id = `${run}-${seq}`;
      await append({ t: 'row', id, sentAtUs: sentMicros() });
      try {
        await client.execute(`INSERT INTO ${SIDE_TABLE} (id, body) VALUES (?, ?)`, [id, sideBody(id)], {
          prepare: true,
        });
        await append({ t: 'row-ack', id, ackedAtUs: ackedMicros() });
        acked += 1;
      } catch (e) {
        await append({ t: 'row-failed', id, error: e instanceof Error ? e.message : String(e) });
      }
      await sleep(1000 / (options.rate ?? 20), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const written = write();
  written.catch(() => stopping.abort());
  return {
    run,
    ledgerFile,
    truncate: async () => {
      const beganAtUs = sentMicros();
      // Before it is done nobody knows which rows are left: the first line keeps a crash from claiming too much.
      await append({ t: 'truncating', beganAtUs });
      await client.execute(`TRUNCATE ${SIDE_TABLE}`);
      await append({ t: 'truncated', beganAtUs, endedAtUs: ackedMicros() });
    },
    stop: async () => {
      stopping.abort();
      try {
        await written;
      } finally {
        await client.shutdown();
        await ledger.close();
      }
      return acked;
    },
  };
}

/** What a row holds; made from its id, so that a row that is not whole shows. */
export function sideBody(id: string): string {
  return `${id} `.repeat(20);
}

/** A client that writes and reads at QUORUM; the caller shuts it down. */
export async function connectSideTable(endpoints: Endpoints): Promise<cassandra.Client> {
  const { cassandra: at } = endpoints;
  if (!at) throw new SkepError('internal', 'the side table needs the endpoints of cassandra');
  const client = new cassandra.Client({
    contactPoints: at.contactPoints,
    localDataCenter: at.localDataCenter,
    credentials: { username: at.user, password: at.password },
    ...(at.port === undefined ? {} : { protocolOptions: { port: at.port } }),
    socketOptions: { readTimeout: 60_000 },
    queryOptions: { consistency: cassandra.types.consistencies.quorum },
  });
  await client.connect();
  return client;
}

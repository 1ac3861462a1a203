import { makeAccounts } from './accounts.ts';
import { withCql } from './cql.ts';
import { awaitGreen, withElasticsearch } from './elastic.ts';
import type { Lab } from './lab.ts';
import type { Secrets } from './secrets.ts';
import { makeTables } from './tables.ts';

/** How long servers that all run may take to become one green cluster. */
const GREEN_MS = 120_000;

/** Starts every service of a new lab, makes its accounts and tables, and returns when all are ready. */
export async function startAll(
  lab: Lab,
  secrets: Secrets,
  say: (line: string) => void,
  outer?: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const signal = outer === undefined ? failed.signal : AbortSignal.any([outer, failed.signal]);
  const timed = async (what: string, task: () => Promise<unknown>): Promise<void> => {
    const from = Date.now();
    say(`${what}: starting`);
    await task();
    say(`${what}: ready after ${((Date.now() - from) / 1000).toFixed(1)} s`);
  };
  const stores = async (): Promise<void> => {
    await timed('cassandra', () => Promise.all(lab.nodes.map((n) => n.cassandra.start(signal))));
    await timed('accounts', () => makeAccounts(lab.record, secrets, signal));
    await timed('tables', () => withCql(lab.record, (client) => makeTables(client, lab.record)));
  };
  const index = async (): Promise<void> => {
    await Promise.all(lab.nodes.map((n) => n.elasticsearch.start(signal)));
    await withElasticsearch(lab.record, (client) => awaitGreen(client, lab.nodes.length, GREEN_MS, signal));
  };
  const ssh = (): Promise<unknown> => Promise.all(lab.nodes.map((n) => n.sshd.start(signal)));
  const all = [stores(), timed('elasticsearch', index)];
  if (lab.record.ssh !== undefined) all.push(timed('sshd', ssh));
  try {
    await Promise.all(all);
    await timed('janusgraph', () => lab.janusgraph.start(signal));
  } catch (e) {
    // the others must have ended before the folder under them is removed
    failed.abort(e);
    await Promise.allSettled(all);
    throw e;
  }
}

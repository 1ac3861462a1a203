import { setTimeout as delay } from 'node:timers/promises';
import { nodetool } from '../drivers/cassandra/nodetool.ts';
import { SkepError } from '../errors.ts';
import { agentOf } from './connections.ts';
import type { RestoreWork } from './restore-work.ts';

const LIMIT_MS = 120_000;

/**
 * Logged batches that did not reach every replica are kept by the node that was asked and written again later, after a
 * restore too: then writes that were made after `T` would come back. They are carried out now, before anything is
 * changed. Error: `restore-failed` when one stays for two minutes.
 */
export async function settleBatches(w: RestoreWork): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  for (const [node, cql] of w.c.cql) {
    while ((await cql.query('SELECT id FROM system.batches LIMIT 1')).length > 0) {
      if (Date.now() > deadline) {
        throw new SkepError('restore-failed', `the batch log of ${node} does not become empty`, {
          hint: `Run \`nodetool replaybatchlog\` on ${node}; every node must be up. Nothing was changed yet.`,
          context: { node },
        });
      }
      await nodetool(agentOf(w.c.agents, node, 'cassandra'), w.c.cluster, ['replaybatchlog'], { signal: w.signal });
      await delay(2_000, undefined, { signal: w.signal });
    }
  }
}

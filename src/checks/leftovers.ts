import { join } from 'node:path';
import { type PinsOfRun, touching } from '../cut/pin-heartbeat.ts';
import { clearSnapshotArgs } from '../drivers/cassandra/nodetool.ts';
import { PIN_FOLDER } from '../drivers/files/walk.ts';
import { quoteAll } from '../remote/quote.ts';
import { isS3Location } from '../s3/location.ts';
import { type Check, type CheckResult, pass, warn } from './check.ts';
import { onCassandra, onNodes } from './each-node.ts';
import { age } from './format.ts';

export interface Left {
  node: string;
  /** Tags of skep's snapshots. */
  tags: string[];
  pins: PinsOfRun[];
}

export const leftovers: Check = {
  id: 'leftovers',
  title: 'nothing is left of runs that died',
  needs: 'report',
  async run(ctx) {
    const { keyspace } = ctx.topology;
    const { files } = ctx.connections.cluster;
    const left: Left[] = [];
    const failures = await onCassandra(ctx, async ({ agent, node }) => {
      const { tags } = await agent.call('snapshot.leftovers', { dataDirs: node.dataDirs, keyspace, prefix: 'skep-' });
      const { runs } = await agent.call('look.pins', { commitlogDir: node.commitlogDir, folders: [] });
      left.push({ node: node.name, tags, pins: runs });
      return [];
    });
    // Nothing is pinned in a bucket.
    const pinning = isS3Location(files.location) ? [] : [files.node];
    const more = await onNodes(ctx, { nodes: pinning, store: 'files' }, async (agent, node) => {
      const { runs } = await agent.call('look.pins', { folders: [join(files.location, PIN_FOLDER)] });
      left.push({ node, tags: [], pins: runs });
      return [];
    });
    return [...failures, ...more, ...judgeLeft(left, keyspace)];
  },
};

/** What belongs to a run that still touches its pins somewhere is in use, not left. */
export function judgeLeft(left: readonly Left[], keyspace: string): CheckResult[] {
  const alive = touching(left.flatMap((l) => l.pins));
  const inUse = (tag: string) => [...alive].some((run) => tag.startsWith(`skep-${run}`));
  const results: CheckResult[] = [];
  for (const { node, tags, pins } of left) {
    for (const tag of tags.filter((t) => !inUse(t))) {
      const cure = `on ${node}: nodetool ${quoteAll(clearSnapshotArgs(tag, keyspace))}`;
      results.push(warn(`snapshot ${tag} of ${keyspace} is left and keeps its files on the disk`, cure, node));
    }
    for (const p of pins.filter((x) => !alive.has(x.run))) {
      const path = join(p.folder, p.run);
      results.push(warn(`pins ${path} are left, not touched for ${age(p.idleMs)}`, `on ${node}: rm -r ${path}`, node));
    }
  }
  if (results.length > 0) return results;
  const running = alive.size === 0 ? '' : `; in use by ${[...alive].join(', ')}`;
  return [pass(`no snapshot and no pin of a dead run${running}`)];
}

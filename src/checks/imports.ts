import { mayBeAbsent } from '../config/cassandra-log.ts';
import { cassandraNodes, forNode } from '../config/load.ts';
import type { Results } from '../protocol/methods.ts';
import { type Check, type CheckResult, fail, pass, warn } from './check.ts';
import { onNodes } from './each-node.ts';

export const imports: Check = {
  id: 'imports',
  title: 'the logs of Cassandra can be read: what `nodetool import` puts in during a cut is told there alone',
  needs: 'preflight',
  async run(ctx) {
    const { cluster } = ctx.connections;
    const nodes = cassandraNodes(cluster).map((n) => n.name);
    return onNodes(ctx, { nodes, store: 'cassandra' }, async (agent, node) => {
      const files = forNode(cluster.cassandra.service.logs, node);
      const { unreadable } = await agent.call('look.logs', { files }, { signal: ctx.signal });
      const { user } = await agent.call('node.facts', { paths: [] }, { signal: ctx.signal });
      return judgeImports(node, user, files, unreadable);
    });
  },
};

const UNSEEN = 'what `nodetool import` puts in during a backup is not seen';

/** A log that is named must be read by every backup. Where none is named and none is where it usually is, that is told. */
export function judgeImports(
  node: string,
  user: string,
  files: readonly string[],
  unreadable: Results['look.logs']['unreadable'],
): CheckResult[] {
  const name = 'name the log of Cassandra in skep.yaml: `cassandra.service.logs`';
  if (files.length === 0) return [warn(`no log of Cassandra is named: ${UNSEEN}`, name, node)];
  if (unreadable.length === 0) return [pass(`${user} reads ${files.join(', ')}`, node)];
  return unreadable.map((u) =>
    mayBeAbsent(u)
      ? warn(`${u.file} is not there: ${UNSEEN}`, name, node)
      : fail(
          `${user} cannot read ${u.file} (${u.why}): ${UNSEEN}`,
          `on ${node}: let ${user} read ${u.file} and what it is rolled to, or mend \`cassandra.service.logs\` in skep.yaml`,
          { node, code: 'file-unreadable' },
        ),
  );
}

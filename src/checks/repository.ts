import { cassandraNodes } from '../config/load.ts';
import { SkepError } from '../errors.ts';
import { openRepository } from '../repository/index.ts';
import { type Found, lookFromNodes } from '../run/data-path.ts';
import { checkName, checkOwner } from '../run/open-repository.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass, warn } from './check.ts';
import { count } from './format.ts';

export const repository: Check = {
  id: 'repository',
  title: "the repository is this cluster's, and the data of every node get there",
  needs: 'preflight',
  async run(ctx) {
    const here = await lookHere(ctx);
    if (here.verdict === 'fail') return [here];
    const { data_path: wanted } = ctx.connections.cluster.agent;
    if (wanted === 'relay') return [pass(`${here.seen}; every node sends through this machine (agent.data_path)`)];
    const reach = await lookFromNodes(ctx.connections, ctx.signal);
    // What the users of one node's stores say is mostly the same.
    const wrong = new Map<string, CheckResult>();
    for (const { node, found } of reach) {
      for (const result of judgeReach(node, found, wanted)) wrong.set(`${node}: ${result.seen}`, result);
    }
    if (wrong.size > 0) return [here, ...wrong.values()];
    const reached = new Set(reach.map(({ node }) => node));
    return [pass(`${here.seen}; reached by ${[...reached].join(', ')}`)];
  },
};

/** Nothing where a node reaches it. */
export function judgeReach(node: string, found: Found, wanted: 'auto' | 'direct'): CheckResult[] {
  if (found.as === 'there') return [];
  const { seen, cure, code } = found;
  if (found.as === 'absent' && wanted === 'auto') {
    return [warn(`${seen}: its data go through this machine`, `${cure}; or set agent.data_path to relay`, node)];
  }
  return [fail(seen, cure, { node, ...(code === undefined ? {} : { code }) })];
}

async function lookHere({ connections, topology }: CheckContext): Promise<CheckResult> {
  const { access, cluster } = connections;
  const { location } = access;
  try {
    const repository = await openRepository(access);
    checkName(repository, cluster);
    // A node that could not be asked would make the cluster another one.
    if (topology.nodes.length === cassandraNodes(cluster).length) await checkOwner(repository, topology);
    const list = await repository.list();
    const damaged = list.filter((b) => b.state === 'damaged');
    const [first] = damaged;
    if (first !== undefined) {
      return {
        verdict: 'warn',
        seen: `${location}: ${count(damaged.length, 'backup')} of ${list.length} damaged (${first.id})`,
        cure: first.finding === 'damage-noted' ? 'skep backup' : `skep verify ${first.id}`,
      };
    }
    return pass(
      `${location} ${access.s3 === undefined ? 'on' : 'reached by'} this machine, ${count(list.length, 'backup')}`,
    );
  } catch (e) {
    if (!(e instanceof SkepError)) throw e;
    return fail(e.message, e.code === 'repository-missing' ? 'skep init' : e.hint, { code: e.code });
  }
}

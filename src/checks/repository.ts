import { join } from 'node:path';
import { cassandraNodes } from '../config/load.ts';
import { SkepError } from '../errors.ts';
import type { Space } from '../protocol/methods.ts';
import type { AgentProcess } from '../remote/agent-process.ts';
import { type Store, storesOn } from '../remote/become.ts';
import { openRepository, type RepositoryAccess } from '../repository/index.ts';
import { checkName, checkOwner } from '../run/open-repository.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass } from './check.ts';
import { onNodes } from './each-node.ts';
import { count } from './format.ts';

export const repository: Check = {
  id: 'repository',
  title: "the repository is this cluster's, and every node that stores something reaches it",
  needs: 'preflight',
  async run(ctx) {
    const { access } = ctx.connections;
    const { location } = access;
    const here = await lookHere(ctx);
    if (here.verdict === 'fail') return [here];
    const look = async (agent: AgentProcess, node: string) => {
      if (access.s3 !== undefined) return reach(agent, node, access, ctx.signal);
      const paths = [location, join(location, 'skep.json')];
      const { space, user } = await agent.call('node.facts', { paths }, { signal: ctx.signal });
      return judgeMount({ node, user, folder: space[0] as Space, marker: space[1] as Space });
    };
    const onEach = await Promise.all(writers(ctx).map((w) => onNodes(ctx, { nodes: [w.node], store: w.store }, look)));
    if (onEach.some((found) => found.length > 0)) return [here, ...onEach.flat()];
    const reached = new Set(writers(ctx).map((w) => w.node));
    return [pass(`${here.seen}; reached by ${[...reached].join(', ')}`)];
  },
};

/** Whether a node's agent can write to an object storage, and finds the same repository there. */
async function reach(
  agent: AgentProcess,
  node: string,
  repository: RepositoryAccess,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  try {
    const { id } = await openRepository(repository);
    const there = await agent.call('look.repository', { repository }, { signal });
    if (there.id === id) return [];
    const seen = `${repository.location} is another repository there (${there.id}, not ${id})`;
    return [
      fail(seen, `on ${node}: let the endpoint mean the same storage as here`, { node, code: 'repository-foreign' }),
    ];
  } catch (e) {
    if (!(e instanceof SkepError) || signal.aborted) throw e;
    return [fail(e.message, `on ${node}: ${e.hint}`, { node, code: e.code })];
  }
}

/** The agents that store something: with `become` those of one node are other users. */
function writers(ctx: CheckContext): { node: string; store: Store }[] {
  const { cluster } = ctx.connections;
  return cluster.nodes.flatMap((n) => {
    const stores = storesOn(n, cluster);
    const alike = cluster.agent.become === 'none' ? stores.slice(0, 1) : stores;
    return alike.map((store) => ({ node: n.name, store }));
  });
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
    if (damaged.length > 0) {
      return {
        verdict: 'warn',
        seen: `${location}: ${count(damaged.length, 'backup')} of ${list.length} damaged (${damaged[0]?.id})`,
        cure: `skep verify ${damaged[0]?.id}`,
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

/** A folder without skep.json is one where the shared storage is not mounted: a node would fill its own disk. */
export function judgeMount(o: { node: string; user: string; folder: Space; marker: Space }): CheckResult[] {
  const { folder, marker, node } = o;
  if (!folder.exists || !marker.exists) {
    const what = folder.exists
      ? `${folder.path} is there, but the repository is not in it`
      : `${folder.path} is not there`;
    return [
      fail(what, `mount the repository's storage at ${folder.path} on ${node}`, { node, code: 'repository-missing' }),
    ];
  }
  if (!folder.readable || !folder.writable || !marker.readable) {
    const seen = `${o.user} may not ${folder.writable ? 'read' : 'write'} ${folder.path}`;
    return [fail(seen, `on ${node}: give ${o.user} the right to write ${folder.path}`, { node })];
  }
  return [];
}

import { join } from 'node:path';
import { cassandraNodes } from '../config/load.ts';
import { SkepError } from '../errors.ts';
import type { Space } from '../protocol/methods.ts';
import type { Agent } from '../remote/agent-client.ts';
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
    const onEach = await onNodes(ctx, writers(ctx), async (agent, node) => {
      if (access.s3 !== undefined) return reach(agent, node, access, ctx.signal);
      const paths = [location, join(location, 'skep.json')];
      const { space, user } = await agent.call('node.facts', { paths }, { signal: ctx.signal });
      return judgeMount({ node, user, folder: space[0] as Space, marker: space[1] as Space });
    });
    if (onEach.length > 0) return [here, ...onEach];
    return [pass(`${here.seen}; reached by ${writers(ctx).join(', ')}`)];
  },
};

/** Whether a node's agent can write to an object storage, and finds the same repository there. */
async function reach(
  agent: Agent,
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

/** The nodes whose agents store something. */
export function writers(ctx: CheckContext): string[] {
  const { cluster } = ctx.connections;
  return [
    ...new Set([...cassandraNodes(cluster).map((n) => n.name), cluster.files.node, cluster.elasticsearch.staging.node]),
  ];
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

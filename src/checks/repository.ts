import { join } from 'node:path';
import { cassandraNodes } from '../config/load.ts';
import { SkepError } from '../errors.ts';
import type { Space } from '../protocol/methods.ts';
import { openRepository } from '../repository/index.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass } from './check.ts';
import { onNodes } from './each-node.ts';
import { count } from './format.ts';

export const repository: Check = {
  id: 'repository',
  title: 'every node that stores something reaches the repository',
  needs: 'preflight',
  async run(ctx) {
    const { cluster } = ctx.connections;
    const here = await lookHere(cluster.repository);
    if (here.verdict === 'fail') return [here];
    const onEach = await onNodes(ctx, writers(ctx), async (agent, node) => {
      const paths = [cluster.repository, join(cluster.repository, 'skep.json')];
      const { space, user } = await agent.call('node.facts', { paths }, { signal: ctx.signal });
      return judgeMount({ node, user, folder: space[0] as Space, marker: space[1] as Space });
    });
    if (onEach.length > 0) return [here, ...onEach];
    return [pass(`${here.seen}; reached by ${writers(ctx).join(', ')}`)];
  },
};

/** The nodes whose agents store something. */
export function writers(ctx: CheckContext): string[] {
  const { cluster } = ctx.connections;
  return [
    ...new Set([...cassandraNodes(cluster).map((n) => n.name), cluster.files.node, cluster.elasticsearch.staging.node]),
  ];
}

async function lookHere(location: string): Promise<CheckResult> {
  try {
    const list = await (await openRepository(location)).list();
    const damaged = list.filter((b) => b.state === 'damaged');
    if (damaged.length > 0) {
      return {
        verdict: 'warn',
        seen: `${location}: ${count(damaged.length, 'backup')} of ${list.length} damaged (${damaged[0]?.id})`,
        cure: `skep verify ${damaged[0]?.id}`,
      };
    }
    return pass(`${location} on this machine, ${count(list.length, 'backup')}`);
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

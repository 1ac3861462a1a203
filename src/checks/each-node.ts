import { cassandraNodes } from '../config/load.ts';
import type { TopologyNode } from '../discovery/topology.ts';
import type { Cql } from '../drivers/cassandra/cql.ts';
import { toSkepError } from '../errors.ts';
import type { AgentProcess } from '../remote/agent-process.ts';
import type { Store } from '../remote/become.ts';
import { type CheckContext, type CheckResult, fail } from './check.ts';

/** Nodes, and the store whose files are looked at there; the agent of who logs in looks when there is none. */
export interface Where {
  nodes: readonly string[];
  store?: Store;
}

/** Runs a look on each named node that has an agent; a node on which the look fails gives a failure of its own. */
export async function onNodes(
  ctx: CheckContext,
  { nodes, store }: Where,
  look: (agent: AgentProcess, node: string) => Promise<CheckResult[]>,
): Promise<CheckResult[]> {
  const done = await Promise.all(
    nodes.map(async (name) => {
      const agent = ctx.connections.agents.get(name);
      // Told by `connect`, once.
      if (!agent) return [];
      try {
        return await look(store === undefined ? agent : agent.as(store), name);
      } catch (e) {
        return [couldNotLook(e, name)];
      }
    }),
  );
  return done.flat();
}

/** The same for Cassandra nodes that answer CQL as well. */
export function onCassandra(
  ctx: CheckContext,
  look: (o: { agent: AgentProcess; cql: Cql; node: TopologyNode }) => Promise<CheckResult[]>,
): Promise<CheckResult[]> {
  const names = cassandraNodes(ctx.connections.cluster).map((n) => n.name);
  return onNodes(ctx, { nodes: names, store: 'cassandra' }, async (agent, name) => {
    const cql = ctx.connections.cql.get(name);
    const node = ctx.topology.nodes.find((n) => n.name === name);
    return cql && node ? look({ agent, cql, node }) : [];
  });
}

/** A check that cannot look has failed; the error's own hint is the cure. */
export function couldNotLook(e: unknown, node?: string): CheckResult {
  const error = toSkepError(e);
  return fail(`could not look: ${error.message}`, error.hint, {
    code: error.code,
    ...(node === undefined ? {} : { node }),
  });
}

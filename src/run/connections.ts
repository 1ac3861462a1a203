import { cassandraNodes } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { type ClockOffset, nowUs, offsetOf } from '../cut/clock.ts';
import { closeCqlSessions, type CqlSessions, openCqlSessions } from '../discovery/discover.ts';
import type { Cql } from '../drivers/cassandra/cql.ts';
import { openSearch, type Search } from '../drivers/elasticsearch/client.ts';
import type { AttachmentPlace } from '../drivers/files/attachment-store.ts';
import { SkepError } from '../errors.ts';
import { type Agent, openAgent, type OpenOptions } from '../remote/agent-client.ts';
import type { AgentProcess } from '../remote/agent-process.ts';
import type { Store } from '../remote/become.ts';
import type { RepositoryAccess } from '../repository/index.ts';
import { accessTo, attachmentsOf } from './access-to.ts';
import type { Reach } from './data-path.ts';
import { Relay } from './relay.ts';

/** An agent on every node that skep works with, by node name. */
export type Agents = ReadonlyMap<string, Agent>;

/** What a command talks to. */
export interface Connections {
  cluster: ClusterConfig;
  agents: Agents;
  cql: CqlSessions;
  search: Search;
  /** To write into the repository, or to read it. Agents are given what `accessFor` makes of it. */
  access: RepositoryAccess;
  /** Where TheHive keeps attachments. */
  attachments: AttachmentPlace;
  /** For the nodes that do not reach it. */
  relay: Relay;
  /** What `lookFromNodes` found. */
  reach?: readonly Reach[];
}

/**
 * Connects to everything at once, to CQL unless told not to; the nodes may write into the repository unless there is an
 * `access` to read; when one fails the others are closed.
 */
export async function connect(
  cluster: ClusterConfig,
  signal?: AbortSignal,
  o: { cql?: boolean; access?: RepositoryAccess; nice?: number } = {},
): Promise<Connections> {
  const access = o.access ?? (await accessTo(cluster));
  const attachments = await attachmentsOf(cluster);
  const relay = new Relay(access);
  const agents = await openAgents(cluster, { signal, nice: o.nice, relay: relay.serve });
  let cql: CqlSessions | undefined;
  try {
    cql = o.cql === false ? new Map() : await openCqlSessions(cluster);
    return { cluster, agents, cql, search: await openSearch(cluster), access, attachments, relay };
  } catch (e) {
    if (cql) await closeCqlSessions(cql);
    await closeAgents(agents);
    throw e;
  }
}

export async function disconnect(c: Connections): Promise<void> {
  await Promise.allSettled([closeCqlSessions(c.cql), c.search.close(), closeAgents(c.agents)]);
}

export async function openAgents(cluster: ClusterConfig, options: OpenOptions = {}): Promise<Agents> {
  const opened = await Promise.allSettled(
    cluster.nodes.map(async (n) => [n.name, await openAgent(n, cluster, options)] as const),
  );
  const agents = new Map(opened.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : [])));
  const failed = opened.find((r) => r.status === 'rejected');
  if (failed) {
    await closeAgents(agents);
    throw failed.reason;
  }
  return agents;
}

export async function closeAgents(agents: Agents): Promise<void> {
  await Promise.allSettled([...agents.values()].map((a) => a.close()));
}

/** The agent on a node that works with the files of a store; that of who logs in when no store is named. */
export function agentOf(agents: Agents, node: string, store?: Store): AgentProcess {
  const agent = agents.get(node);
  if (!agent) throw new SkepError('internal', `no agent on ${node}`);
  return store === undefined ? agent : agent.as(store);
}

/** Runs one step on every Cassandra node at the same time; all have ended when it resolves or throws the first error. */
export async function onCassandraNodes<T>(
  c: Pick<Connections, 'cluster' | 'agents'>,
  step: (agent: AgentProcess, node: string) => Promise<T>,
): Promise<Map<string, T>> {
  const names = cassandraNodes(c.cluster).map((n) => n.name);
  const done = await Promise.allSettled(names.map((name) => step(agentOf(c.agents, name, 'cassandra'), name)));
  const failed = done.find((r) => r.status === 'rejected');
  if (failed) throw failed.reason;
  return new Map(done.map((r, i) => [names[i] as string, (r as PromiseFulfilledResult<T>).value]));
}

/** The first of the sessions; each is with a node of its own. */
export function anyCql(c: Pick<Connections, 'cql'>): Cql {
  const [cql] = [...c.cql.values()];
  if (!cql) throw new SkepError('topology-mismatch', 'the cluster has no Cassandra node');
  return cql;
}

const CLOCK_QUESTIONS = 5;

/** Measures the clock of every node against this machine's. */
export async function measureClocks(agents: Agents): Promise<ClockOffset[]> {
  return Promise.all(
    [...agents.values()].map(async (agent) => {
      const samples = [];
      for (let i = 0; i < CLOCK_QUESTIONS; i++) {
        const askedUs = nowUs();
        const { us } = await agent.call('node.clock', {});
        samples.push({ askedUs, nodeUs: us, answeredUs: nowUs() });
      }
      return offsetOf(agent.node.name, samples);
    }),
  );
}

import type { CheckFinding } from '../checks/check.ts';
import { cassandraNodes } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions } from '../discovery/discover.ts';
import { type Cql, openCql } from '../drivers/cassandra/cql.ts';
import { openSearch, type Search } from '../drivers/elasticsearch/client.ts';
import { type SkepError, toSkepError } from '../errors.ts';
import { type Agent, openAgent } from '../remote/agent-client.ts';
import { closeAgents, type Connections, disconnect } from './connections.ts';
import { accessTo, attachmentsOf } from './access-to.ts';
import { Relay } from './relay.ts';

/** The exit code of wrong credentials. */
const CREDENTIALS = 12;

const OF = { id: 'connect', title: 'every node can be reached' };

/**
 * Connects to what answers, and tells what does not. Wrong credentials are thrown (they must be mended in the
 * configuration), and so is the first error when no agent or no CQL session is to be had at all.
 */
export async function connectSome(
  cluster: ClusterConfig,
  signal: AbortSignal,
): Promise<{ connections: Connections; findings: CheckFinding[] }> {
  const access = await accessTo(cluster);
  const attachments = await attachmentsOf(cluster);
  const relay = new Relay(access);
  const findings: CheckFinding[] = [];
  const errors: SkepError[] = [];
  const agents = new Map<string, Agent>();
  const cql = new Map<string, Cql>();
  const told = (node: string) => (e: unknown) => {
    errors.push(toSkepError(e));
    findings.push(notReached(e, node));
  };
  await Promise.all(
    cluster.nodes.map((n) =>
      openAgent(n, cluster, { signal, relay: relay.serve }).then((a) => agents.set(n.name, a), told(n.name)),
    ),
  );
  if (agents.size > 0) {
    await Promise.all(
      cassandraNodes(cluster).map((n) => openCql(cluster, n.cassandra).then((s) => cql.set(n.name, s), told(n.name))),
    );
  }
  const refused = errors.find((e) => e.exitCode === CREDENTIALS) ?? (cql.size === 0 ? errors[0] : undefined);
  let search: Search;
  try {
    if (refused) throw refused;
    signal.throwIfAborted();
    search = await openSearch(cluster);
  } catch (e) {
    await closeCqlSessions(cql);
    await closeAgents(agents);
    throw e;
  }
  const connections = {
    cluster,
    agents: inOrder(cluster, agents),
    cql: inOrder(cluster, cql),
    search,
    access,
    attachments,
    relay,
  };
  try {
    await connections.search.request('GET', '/');
  } catch (e) {
    const error = toSkepError(e);
    if (error.exitCode === CREDENTIALS) {
      await disconnect(connections);
      throw error;
    }
    findings.push({ ...notReached(error, undefined), seen: `elasticsearch does not answer: ${error.message}` });
  }
  if (findings.length === 0) {
    const seen = `agents on ${[...connections.agents.keys()].join(', ')}; CQL of ${[...connections.cql.keys()].join(', ')}; Elasticsearch`;
    findings.push({ ...OF, verdict: 'pass', seen });
  }
  return { connections, findings };
}

/** The order of the configuration, whatever answered first. */
function inOrder<T>(cluster: ClusterConfig, of: ReadonlyMap<string, T>): Map<string, T> {
  return new Map(cluster.nodes.flatMap(({ name }) => (of.has(name) ? [[name, of.get(name) as T] as const] : [])));
}

function notReached(e: unknown, node: string | undefined): CheckFinding {
  const { message, hint, code } = toSkepError(e);
  return { ...OF, verdict: 'fail', seen: message, cure: hint, code, ...(node === undefined ? {} : { node }) };
}

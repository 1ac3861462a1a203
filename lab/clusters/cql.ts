import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import cassandra from 'cassandra-driver';
import { SkepError } from '../../src/errors.ts';
import type { LabRecord } from './record.ts';

export type CqlClient = cassandra.Client;

/** A client of the lab's Cassandra as its superuser; the caller shuts it down. */
export async function connectCql(lab: LabRecord): Promise<CqlClient> {
  const password = (await readFile(lab.cql.passwordFile, 'utf8')).trim();
  return connectAs(lab, lab.cql.user, password);
}

/** Runs `task` with a client that is shut down afterwards. */
export async function withCql<T>(lab: LabRecord, task: (client: CqlClient) => Promise<T>): Promise<T> {
  const client = await connectCql(lab);
  try {
    return await task(client);
  } finally {
    await client.shutdown();
  }
}

export async function connectAs(lab: LabRecord, user: string, password: string): Promise<CqlClient> {
  const client = new cassandra.Client({
    contactPoints: lab.cql.contactPoints,
    localDataCenter: lab.cql.datacenter,
    protocolOptions: { port: lab.cql.port },
    credentials: { username: user, password },
    socketOptions: { readTimeout: 60_000 },
    queryOptions: { consistency: cassandra.types.consistencies.quorum },
  });
  try {
    await client.connect();
    return client;
  } catch (e) {
    await client.shutdown();
    throw e;
  }
}

/** Waits until a role can log in: roles are made, and read, some time after the port opened. */
export async function awaitLogin(
  lab: LabRecord,
  user: string,
  password: string,
  limitMs: number,
  signal?: AbortSignal,
): Promise<CqlClient> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      return await connectAs(lab, user, password);
    } catch (e) {
      if (Date.now() > end)
        throw new SkepError('cql-failed', `${user} cannot log in to the lab's cassandra`, { cause: e });
      await delay(250, undefined, { signal });
    }
  }
}

/** Waits until all nodes that the client knows have the same schema; what the driver itself waits for ends after 10 s, agreed or not. */
export async function awaitAgreement(client: CqlClient, limitMs = 120_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    const versions = await schemaVersions(client);
    if (versions.length === client.hosts.length && new Set(versions).size === 1) return;
    if (Date.now() > end) throw new SkepError('cql-failed', 'the nodes of the lab do not agree on the schema');
    await delay(100);
  }
}

/**
 * Logs in and waits until every node sees all of them as normal members, by its own gossip. A port that answers says nothing of
 * the other nodes, and while one node takes another for joining it refuses to change a replication. Each look is by a new client:
 * one connects to no node that was unknown when it began.
 */
export async function awaitMembers(
  lab: LabRecord,
  user: string,
  password: string,
  limitMs: number,
  signal?: AbortSignal,
): Promise<CqlClient> {
  const end = Date.now() + limitMs;
  for (;;) {
    const client = await awaitLogin(lab, user, password, limitMs, signal);
    if (await isWhole(client, lab.nodes.length)) return client;
    await client.shutdown();
    if (Date.now() > end) throw new SkepError('cql-failed', 'the nodes of the lab do not see each other as members');
    await delay(250, undefined, { signal });
  }
}

async function isWhole(client: CqlClient, nodes: number): Promise<boolean> {
  const hosts = client.getState().getConnectedHosts();
  const seen = hosts.map(async (host) => {
    const { rows } = await client.execute('SELECT status_with_port FROM system_views.gossip_info', [], { host });
    return rows.filter((row) => String(row['status_with_port']).includes('NORMAL,')).length;
  });
  const members = await Promise.all(seen).catch(() => []);
  return members.length === nodes && members.every((n) => n === nodes);
}

/** The schema versions of the nodes that the client is connected to, each as the node itself says. */
async function schemaVersions(client: CqlClient): Promise<string[]> {
  const versions = client
    .getState()
    .getConnectedHosts()
    .map(async (host) => {
      const result = await client.execute('SELECT schema_version FROM system.local', [], { host });
      return String(result.rows[0]?.['schema_version']);
    });
  return Promise.all(versions);
}

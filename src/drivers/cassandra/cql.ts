import { readCa, readPrivateKey } from '../../config/pem-file.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { readSecret } from '../../config/secrets.ts';
import { SkepError } from '../../errors.ts';

/** A CQL session with one node and no other: what is asked is asked of that node itself. */
export interface Cql {
  readonly address: string;
  /** Rows as plain objects. Reads may be repeated. */
  query(cql: string, params?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Connects to one node. Errors: `cql-credentials`, `cql-failed` (retryable when nothing answers). */
export async function openCql(cluster: ClusterConfig, address: string): Promise<Cql> {
  // Loaded when it is needed: many commands and every agent speak no CQL.
  const { default: cassandra } = await import('cassandra-driver');
  const c = cluster.cassandra;
  const client = new cassandra.Client({
    contactPoints: [`${address}:${c.port}`],
    localDataCenter: c.datacenter,
    credentials: { username: c.user, password: await readSecret(c.password, 'cassandra.password') },
    policies: {
      loadBalancing: new cassandra.policies.loadBalancing.AllowListPolicy(
        new cassandra.policies.loadBalancing.DCAwareRoundRobinPolicy(c.datacenter),
        [`${address}:${c.port}`],
      ),
    },
    // One node makes all changes of a schema, in their order; the caller waits for agreement once, at the end.
    protocolOptions: { maxSchemaAgreementWaitSeconds: 0 },
    isMetadataSyncEnabled: false,
    socketOptions: { connectTimeout: 10_000, readTimeout: 60_000 },
    queryOptions: { consistency: cassandra.types.consistencies.localOne, prepare: false, fetchSize: 1000 },
    ...(await tlsOf(c)),
  });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (e) {
    await client.shutdown().catch(() => {});
    throw connectError(address, e);
  }
  return {
    address,
    async query(cql, params = []) {
      try {
        const rows: Record<string, unknown>[] = [];
        for await (const row of await client.execute(cql, params, { prepare: params.length > 0 }))
          rows.push({ ...row });
        return rows;
      } catch (e) {
        throw new SkepError('cql-failed', `${address}: ${(e as Error).message}`, { cause: e, context: { address } });
      }
    },
    close: () => client.shutdown(),
  };
}

async function tlsOf({ ca_file: caFile, client }: ClusterConfig['cassandra']) {
  if (!caFile) return {};
  const shown = client && {
    cert: await readCa(client.certificate_file, 'cassandra.client.certificate_file'),
    key: await readPrivateKey(client.key_file, 'cassandra.client.key_file'),
  };
  return { sslOptions: { ca: [await readCa(caFile, 'cassandra.ca_file')], ...shown } };
}

function connectError(address: string, e: unknown): SkepError {
  const inner = Object.values((e as { innerErrors?: Record<string, Error> }).innerErrors ?? {});
  const text = [e as Error, ...inner].map((x) => `${x.name}: ${x.message}`).join('; ');
  if (/AuthenticationError|Provided username|bad credentials/i.test(text)) {
    return new SkepError('cql-credentials', `${address} refused the user of cassandra.user`, { context: { address } });
  }
  return new SkepError('cql-failed', `no CQL connection to ${address}: ${inner[0]?.message ?? (e as Error).message}`, {
    context: { address },
    retryable: true,
    hint: /certificate|SSL|TLS/i.test(text)
      ? "Check `cassandra.ca_file` and `cassandra.client` in skep.yaml: Cassandra and skep must know each other's CA."
      : 'Check that Cassandra runs on that node (`nodetool status`) and that cassandra.port is right.',
  });
}

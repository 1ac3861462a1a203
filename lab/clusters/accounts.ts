import { randomBytes } from 'node:crypto';
import { awaitLogin, awaitMembers } from './cql.ts';
import type { LabRecord } from './record.ts';
import type { Secrets } from './secrets.ts';

/** Cassandra's well-known first superuser. */
const DEFAULT = 'cassandra';

/** Makes the lab's own superuser and TheHive's role, and disables the well-known account. */
export async function makeAccounts(lab: LabRecord, secrets: Secrets, signal?: AbortSignal): Promise<void> {
  const first = await awaitMembers(lab, DEFAULT, DEFAULT, 120_000, signal);
  try {
    await first.execute(
      `ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', '${lab.cql.datacenter}': ${lab.nodes.length}}`,
    );
    await first.execute(role(secrets.cql.user, secrets.cql.password, true));
    await first.execute(role(secrets.graphCql.user, secrets.graphCql.password, false));
  } finally {
    await first.shutdown();
  }
  const own = await awaitLogin(lab, secrets.cql.user, secrets.cql.password, 60_000, signal);
  try {
    const unknown = randomBytes(24).toString('base64url');
    await own.execute(`ALTER ROLE ${DEFAULT} WITH PASSWORD = '${unknown}' AND SUPERUSER = false AND LOGIN = false`);
  } finally {
    await own.shutdown();
  }
}

function role(user: string, password: string, superuser: boolean): string {
  return `CREATE ROLE ${user} WITH PASSWORD = '${password}' AND SUPERUSER = ${superuser} AND LOGIN = true`;
}

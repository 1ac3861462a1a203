import {
  type Grant,
  grantSchema,
  grantStatements,
  missingGrants,
  readGrants,
  readRoles,
} from '../drivers/cassandra/grants.ts';
import { describeKeyspace } from '../drivers/cassandra/schema.ts';
import { toSkepError } from '../errors.ts';
import { anyCql } from './connections.ts';
import type { RestoreWork } from './restore-work.ts';

const FACT = 'grants';

/**
 * Notes who may use the keyspace, before it may be dropped: what is granted now, for roles are not part of a backup; what
 * was at the cut where the keyspace itself is lost.
 */
export async function noteGrants(w: RestoreWork): Promise<void> {
  const cql = anyCql(w.c);
  const { keyspace } = w.c.cluster.cassandra;
  const isThere = (await describeKeyspace(cql, keyspace)).length > 0;
  await w.journal.setFact(FACT, isThere ? await grantsOrWarning(w, keyspace) : w.details.schema.grants);
}

/**
 * Grants again what went with the keyspace. What cannot be granted (the role is gone, skep's user may not) is told with
 * the statement that does it: without it TheHive may not get in. May be repeated.
 */
export async function grantAgain(w: RestoreWork): Promise<void> {
  const wanted = grantSchema.array().parse(w.journal.fact(FACT) ?? []);
  if (wanted.length === 0) return;
  const cql = anyCql(w.c);
  try {
    const roles = await readRoles(cql);
    const missing = missingGrants(wanted, await readGrants(cql, w.c.cluster.cassandra.keyspace));
    for (const g of missing) {
      const statements = grantStatements(g);
      if (!statements) tell(w, g, 'skep cannot grant on such a resource');
      else if (!roles.has(g.role)) tell(w, g, `there is no role ${g.role}`);
      else for (const s of statements) await cql.query(s).catch((e: unknown) => tell(w, g, toSkepError(e).message));
    }
  } catch (e) {
    for (const g of wanted) tell(w, g, toSkepError(e).message);
  }
}

async function grantsOrWarning(w: RestoreWork, keyspace: string): Promise<Grant[]> {
  try {
    return await readGrants(anyCql(w.c), keyspace);
  } catch (e) {
    const { message } = toSkepError(e);
    w.emit({
      type: 'warning',
      text: `who may use ${keyspace} cannot be read, those of the backup are taken: ${message}`,
    });
    return w.details.schema.grants;
  }
}

function tell(w: RestoreWork, g: Grant, why: string): void {
  const by = grantStatements(g)?.join('; ') ?? `${g.permissions.join(', ')} on ${g.resource} for ${g.role}`;
  w.emit({ type: 'warning', text: `not granted again: ${by} (${why})`, context: { ...g } });
}

import { z } from 'zod';
import type { Cql } from './cql.ts';

/** What a role may do on a keyspace or on something in it. `resource` as `system_auth` names it: `data/KEYSPACE/TABLE`. */
export const grantSchema = z.object({ role: z.string(), resource: z.string(), permissions: z.array(z.string()) });
export type Grant = z.output<typeof grantSchema>;

/**
 * Who may do what on a keyspace: it goes with the keyspace when that is dropped. Empty where nobody needs permissions.
 * Error: `cql-failed` where skep's own user may not read `system_auth`.
 */
export async function readGrants(cql: Cql, keyspace: string): Promise<Grant[]> {
  const rows = await cql.query('SELECT role, resource, permissions FROM system_auth.role_permissions');
  return rows
    .map((r) => ({
      role: String(r.role),
      resource: String(r.resource),
      permissions: [...((r.permissions ?? []) as string[])].sort(),
    }))
    .filter((g) => ['data', 'functions'].some((kind) => isBelow(g.resource, `${kind}/${keyspace}`)))
    .sort((a, b) => (`${a.role} ${a.resource}` < `${b.role} ${b.resource}` ? -1 : 1));
}

/** The grants of `wanted` that are not among `there`, with the permissions that lack. Pure. */
export function missingGrants(wanted: readonly Grant[], there: readonly Grant[]): Grant[] {
  return wanted.flatMap((g) => {
    const has = there.find((t) => t.role === g.role && t.resource === g.resource)?.permissions ?? [];
    const permissions = g.permissions.filter((p) => !has.includes(p));
    return permissions.length === 0 ? [] : [{ ...g, permissions }];
  });
}

/** The statements that make a grant again; undefined for a resource that has no simple name (a single function). Pure. */
export function grantStatements(g: Grant): string[] | undefined {
  const on = nameOf(g.resource);
  return on === undefined ? undefined : g.permissions.map((p) => `GRANT ${p} ON ${on} TO ${quoted(g.role)}`);
}

/** The roles that there are. Error: as `readGrants`. */
export async function readRoles(cql: Cql): Promise<Set<string>> {
  return new Set((await cql.query('SELECT role FROM system_auth.roles')).map((r) => String(r.role)));
}

function isBelow(resource: string, top: string): boolean {
  return resource === top || resource.startsWith(`${top}/`);
}

/** Source: `DataResource` and `FunctionResource` of Cassandra 4.1 and 5.0. */
function nameOf(resource: string): string | undefined {
  const [kind, keyspace = '', within, ...more] = resource.split('/');
  if (more.length > 0) return undefined;
  if (kind === 'functions') return within === undefined ? `ALL FUNCTIONS IN KEYSPACE ${quoted(keyspace)}` : undefined;
  if (within === undefined) return `KEYSPACE ${quoted(keyspace)}`;
  return within === '*' ? `ALL TABLES IN KEYSPACE ${quoted(keyspace)}` : `TABLE ${quoted(keyspace)}.${quoted(within)}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

import type { Statement } from './schema.ts';

/** What must be done to the live keyspace so that it is as the backup's. */
export type SchemaPlan = 'keep' | 'create' | 'replace';

/**
 * Compares two keyspaces by their statements. A different grace period is no difference: a restore raises it for a while.
 * `replace` drops the keyspace, so the caller has taken a snapshot before.
 */
export function planSchema(live: readonly Statement[], wanted: readonly Statement[]): SchemaPlan {
  if (live.length === 0) return 'create';
  const [a, b] = [normalize(live), normalize(wanted)];
  return a.length === b.length && a.every((s, i) => s === b[i]) ? 'keep' : 'replace';
}

function normalize(statements: readonly Statement[]): string[] {
  return statements.map((s) => s.cql.replace(/\b(AND|WITH) gc_grace_seconds = \d+/g, '$1 grace').trim()).sort();
}

/** Single statements of one `create_statement`: dropped columns come as further statements behind the table's own. */
export function splitStatements(cql: string): string[] {
  const out: string[] = [];
  let from = 0;
  let quote: string | undefined;
  for (let i = 0; i < cql.length; i++) {
    const ch = cql[i] as string;
    if (quote) {
      if (ch === quote) quote = undefined;
    } else if (ch === "'" || ch === '"') quote = ch;
    else if (cql.startsWith('$$', i)) {
      const end = cql.indexOf('$$', i + 2);
      i = end < 0 ? cql.length : end + 1;
    } else if (ch === ';') {
      out.push(cql.slice(from, i).trim());
      from = i + 1;
    }
  }
  out.push(cql.slice(from).trim());
  return out.filter((s) => s !== '');
}

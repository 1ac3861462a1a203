import type { Cql } from './cql.ts';
import { RingCover } from './token-ring.ts';

/** A repair that ended well and was not limited to some nodes. */
export interface PastRepair {
  startedMs: number;
  tables: readonly string[];
  ranges: readonly string[];
}

/**
 * The repairs of a keyspace that `system_distributed` remembers (30 days, unless configured otherwise). Times are those
 * of their start: what was written later need not have been repaired.
 */
export async function readRepairs(cql: Cql, keyspace: string): Promise<PastRepair[]> {
  const rows = await cql.query(
    'SELECT keyspace_name, columnfamily_names, started_at, finished_at, exception_message, successful_ranges, options FROM system_distributed.parent_repair_history',
  );
  return rows
    .filter((r) => r.keyspace_name === keyspace && r.finished_at instanceof Date && r.exception_message === null)
    .filter((r) => !isLimited((r.options ?? {}) as Record<string, string>))
    .map((r) => ({
      startedMs: (r.started_at as Date).getTime(),
      tables: (r.columnfamily_names ?? []) as string[],
      ranges: (r.successful_ranges ?? []) as string[],
    }));
}

function isLimited(options: Record<string, string>): boolean {
  const set = (key: string) => ![undefined, '', 'false', 'NONE'].includes(options[key]);
  return ['dataCenters', 'hosts', 'forceRepair', 'pullRepair', 'paxosOnly', 'previewKind'].some(set);
}

/** Since when each table is repaired over the whole ring, in ms; undefined when no repairs cover the ring. Pure. */
export function repairedSince(
  repairs: readonly PastRepair[],
  tables: readonly string[],
): Map<string, number | undefined> {
  const newestFirst = [...repairs].sort((a, b) => b.startedMs - a.startedMs);
  return new Map(
    tables.map((table) => {
      const cover = new RingCover();
      for (const r of newestFirst) {
        if (!r.tables.includes(table)) continue;
        cover.add(r.ranges);
        if (cover.whole) return [table, r.startedMs];
      }
      return [table, undefined];
    }),
  );
}

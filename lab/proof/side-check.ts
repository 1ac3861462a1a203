import type { Endpoints } from '../load/endpoints.ts';
import { connectSideTable, SIDE_TABLE, sideBody } from '../load/side-table.ts';
import { readSideLedger, type SideLedger, type SideRow, type Truncation } from '../ledger/side-ledger.ts';
import type { Expectation } from './history.ts';

/** How the side table compares with its ledger; `missing` and `extra` name rows. */
export interface SideReport {
  required: number;
  forbidden: number;
  open: number;
  missing: string[];
  extra: string[];
}

/** Reads the side table at QUORUM and compares it with its ledger for a cluster that is meant to be as it was at `T`. */
export async function proveSideTable(options: {
  endpoints: Endpoints;
  files: string[];
  T: bigint;
}): Promise<SideReport> {
  const ledger = await readSideLedger(options.files);
  const client = await connectSideTable(options.endpoints);
  const rows = new Map<string, string>();
  try {
    const found = await client.execute(`SELECT id, body FROM ${SIDE_TABLE}`, [], { prepare: true, fetchSize: 5000 });
    for await (const row of found) rows.set(String(row['id']), String(row['body']));
  } finally {
    await client.shutdown();
  }
  return checkSideRows(ledger, options.T, rows);
}

export function checkSideRows(ledger: SideLedger, T: bigint, rows: ReadonlyMap<string, string>): SideReport {
  const report: SideReport = { required: 0, forbidden: 0, open: 0, missing: [], extra: [] };
  const known = new Set<string>();
  for (const row of ledger.rows) {
    known.add(row.id);
    const expectation = expectedRow(ledger, row, Number(T));
    report[expectation] += 1;
    const body = rows.get(row.id);
    if (expectation === 'required' && body === undefined) report.missing.push(row.id);
    else if (expectation === 'forbidden' && body !== undefined) report.extra.push(row.id);
    else if (body !== undefined && body !== sideBody(row.id)) report.missing.push(`${row.id} is not whole`);
  }
  for (const id of rows.keys()) if (!known.has(id)) report.extra.push(`${id} is not in the ledger`);
  return report;
}

/**
 * A row acknowledged before T and not truncated before it is required; sent after T, or acknowledged before a
 * truncation that ended before T, forbidden. Whatever overlaps with a truncation or with T is open. A restore takes
 * away what was sent, and undoes what was truncated, after the moment that it went back to.
 */
export function expectedRow(
  ledger: Pick<SideLedger, 'truncations' | 'restores'>,
  row: SideRow,
  T: number,
): Expectation {
  const { restores } = ledger;
  const until = Math.min(T, ...restores.filter((r) => r.atUs > row.runStartedAtUs).map((r) => r.T));
  if (row.sentAtUs > until) return 'forbidden';
  const acked = row.ackedAtUs ?? Infinity;
  const undone = (t: Truncation): boolean => restores.some((r) => r.atUs > t.beganAtUs && r.T < t.beganAtUs);
  const settled = (t: Truncation): boolean => {
    const ended = t.endedAtUs ?? Infinity;
    return ended < T && !restores.some((r) => r.atUs > t.beganAtUs && r.T <= ended);
  };
  const touching = ledger.truncations.filter(
    (t) => t.beganAtUs <= T && (t.endedAtUs ?? Infinity) >= row.sentAtUs && !undone(t),
  );
  if (touching.some((t) => acked < t.beganAtUs && settled(t))) return 'forbidden';
  if (touching.length > 0) return 'open';
  return acked < until ? 'required' : 'open';
}

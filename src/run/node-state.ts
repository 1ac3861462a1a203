import { parseTruncation } from '../commitlog/index.ts';
import type { EvidenceFinding } from '../cut/evidence.ts';
import type { CqlSessions } from '../discovery/discover.ts';
import { SkepError } from '../errors.ts';
import type { Truncation } from '../protocol/methods.ts';

/** Every node's truncation records (`system.local`), by node name; table ids with dashes. */
export async function readTruncations(sessions: CqlSessions): Promise<Map<string, Truncation[]>> {
  const out = new Map<string, Truncation[]>();
  for (const [node, cql] of sessions) {
    const row = (await cql.query('SELECT truncated_at FROM system.local'))[0];
    const records = Object.entries((row?.truncated_at ?? {}) as Record<string, Buffer>);
    out.set(
      node,
      records.map(([table, blob]) => {
        const t = parseTruncation(blob);
        return { table, segment: String(t.segmentId), position: t.position };
      }),
    );
  }
  return out;
}

/** Fails (`preflight-failed`) where a node does not note its streams: then none would ever be found. */
export async function checkStreamsAreNoted(sessions: CqlSessions): Promise<void> {
  for (const [node, cql] of sessions) {
    const rows = await cql.query("SELECT value FROM system_views.settings WHERE name = 'streaming_stats_enabled'");
    if (String(rows[0]?.value ?? 'true') !== 'false') continue;
    throw new SkepError('preflight-failed', `${node} does not note its streams, so a cut cannot be trusted`, {
      hint: 'Set `streaming_stats_enabled: true` in cassandra.yaml of that node and restart it.',
      context: { node },
    });
  }
}

/** Streams (repair, bulk load, move) that were active at any time since `sinceMs`: they bypass the commit log. */
export async function streamedSince(sessions: CqlSessions, sinceMs: number): Promise<EvidenceFinding[]> {
  const out: EvidenceFinding[] = [];
  for (const [node, cql] of sessions) {
    for (const s of await cql.query('SELECT operation, status, last_updated_at FROM system_views.streaming')) {
      const over = s.status === 'success' || s.status === 'failure';
      const last = s.last_updated_at instanceof Date ? s.last_updated_at.getTime() : Number.POSITIVE_INFINITY;
      if (!over || last >= sinceMs) out.push({ kind: 'streaming', node, operation: String(s.operation) });
    }
  }
  return out;
}

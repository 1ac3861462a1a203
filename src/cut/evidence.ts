import { checkContiguous } from '../commitlog/index.ts';
import type { Topology } from '../discovery/topology.ts';
import type { ClockOffset } from './clock.ts';
import type { NewestWrite, Truncation } from '../protocol/methods.ts';

/** Why a cut cannot be trusted. */
export type EvidenceFinding =
  | { kind: 'segments-not-contiguous'; node: string; after: string; next: string }
  | { kind: 'segment-missed'; node: string; segment: string }
  | { kind: 'unsynced-tail'; node: string; mutations: number }
  | { kind: 'schema-changed'; node: string }
  | { kind: 'schema-disagreement'; versions: string[] }
  | { kind: 'tables-changed'; table: string }
  | { kind: 'topology-changed'; node: string; what: 'host id' | 'tokens' | 'peers' }
  | { kind: 'node-restarted'; node: string }
  | { kind: 'truncated-during-cut'; node: string; table: string }
  | { kind: 'streaming'; node: string; operation: string }
  | { kind: 'imported'; node: string; line: string }
  | { kind: 'imports-unseen'; node: string; file: string; why: string }
  | { kind: 'clock-moved'; node: string; ms: number }
  | { kind: 'written-ahead'; node: string; file: string; ms: number };

/** Whether taking the cut once more can help. A changed topology, or a client whose clock is wrong, is refused at once. */
export function worthAnotherTry(findings: readonly EvidenceFinding[]): boolean {
  return findings.every((f) => f.kind !== 'topology-changed' && f.kind !== 'written-ahead');
}

export function describeFinding(f: EvidenceFinding): string {
  switch (f.kind) {
    case 'segments-not-contiguous':
      return `${f.node}: commit log segment ${f.next} follows ${f.after}`;
    case 'segment-missed':
      return `${f.node}: ${f.segment} was gone before it could be pinned`;
    case 'unsynced-tail':
      return `${f.node}: ${f.mutations} mutations before T were not synced yet`;
    case 'schema-changed':
      return `${f.node}: the schema changed`;
    case 'schema-disagreement':
      return `the nodes have ${f.versions.length} schema versions`;
    case 'tables-changed':
      return `table ${f.table} was made, dropped or made again`;
    case 'topology-changed':
      return `${f.node}: ${f.what} changed`;
    case 'node-restarted':
      return `${f.node} was restarted`;
    case 'truncated-during-cut':
      return `${f.node}: table ${f.table} was truncated`;
    case 'streaming':
      return `${f.node}: data was streamed (${f.operation})`;
    case 'imported':
      return `${f.node}: SSTables were put in by nodetool (${f.line})`;
    case 'imports-unseen':
      return `${f.node}: whether nodetool put SSTables in cannot be seen (${f.file}: ${f.why})`;
    case 'clock-moved':
      return `${f.node}: its clock was set anew, by ${f.ms} ms`;
    case 'written-ahead':
      return `${f.node}: a write in the snapshot is stamped ${f.ms} ms after T (${f.file}): the clock of a client is wrong`;
  }
}

/** Ids that do not follow one another without a gap. */
export function gaps(node: string, ids: readonly string[]): EvidenceFinding[] {
  return checkContiguous(ids.map(BigInt)).map(({ after, before }) => ({
    kind: 'segments-not-contiguous',
    node,
    after: String(after),
    next: String(before),
  }));
}

/** What changed between two looks at the topology that must stay the same from the first pin to the end. */
export function topologyChanges(before: Topology, after: Topology): EvidenceFinding[] {
  const out: EvidenceFinding[] = [];
  for (const a of before.nodes) {
    const b = after.nodes.find((n) => n.name === a.name);
    const node = a.name;
    if (!b || b.hostId !== a.hostId) {
      out.push({ kind: 'topology-changed', node, what: 'host id' });
      continue;
    }
    if (a.tokens.join() !== b.tokens.join()) out.push({ kind: 'topology-changed', node, what: 'tokens' });
    if (a.peers.join() !== b.peers.join()) out.push({ kind: 'topology-changed', node, what: 'peers' });
    if (a.gossipGeneration !== b.gossipGeneration) out.push({ kind: 'node-restarted', node });
    if (a.schemaVersion !== b.schemaVersion) out.push({ kind: 'schema-changed', node });
  }
  const key = (t: Topology) => new Map(t.tables.map((x) => [x.id, x.name]));
  const [was, is] = [key(before), key(after)];
  for (const [id, table] of [...was, ...is]) {
    if (!was.has(id) || !is.has(id)) out.push({ kind: 'tables-changed', table });
  }
  return out;
}

/** Tables truncated between two looks at a node's truncation records. */
export function truncationChanges(
  node: string,
  before: readonly Truncation[],
  after: readonly Truncation[],
): EvidenceFinding[] {
  const key = (t: Truncation) => `${t.table}:${t.segment}:${t.position}`;
  const was = new Set(before.map(key));
  return after
    .filter((t) => !was.has(key(t)))
    .map((t) => ({ kind: 'truncated-during-cut' as const, node, table: t.table }));
}

/** Clocks that moved against the controller's by more than two may differ: what they stamped is not comparable. */
export function clockChanges(
  before: readonly ClockOffset[],
  after: readonly ClockOffset[],
  maxMs: number,
): EvidenceFinding[] {
  return before.flatMap((was) => {
    const is = after.find((o) => o.node === was.node);
    if (!is) return [];
    const moved = Math.abs(is.offsetUs - was.offsetUs);
    if (moved <= maxMs * 1000 + was.errorUs + is.errorUs) return [];
    return [{ kind: 'clock-moved' as const, node: was.node, ms: Math.round(moved / 1000) }];
  });
}

/** What is read of the schema from one node must be what all have. */
export function schemaDisagreement(topology: Topology): EvidenceFinding[] {
  const versions = [...new Set(topology.nodes.map((n) => n.schemaVersion))].sort();
  return versions.length > 1 ? [{ kind: 'schema-disagreement', versions }] : [];
}

/**
 * Writes in a snapshot that are stamped later than `T`, which is later than every clock was when the snapshot ended: the
 * clock of their client is ahead. Not every client is on a machine whose clock skep can measure.
 */
export function writtenAhead(node: string, newest: NewestWrite | undefined, T: bigint): EvidenceFinding[] {
  if (newest === undefined || BigInt(newest.us) <= T) return [];
  return [{ kind: 'written-ahead', node, file: newest.file, ms: Number((BigInt(newest.us) - T + 999n) / 1000n) }];
}

import { discover } from '../discovery/discover.ts';
import { SkepError } from '../errors.ts';
import { agentOf } from './connections.ts';
import { findPlaces, type Places } from './restore-places.ts';
import type { RestoreWork } from './restore-work.ts';
import { cassandraNodes } from '../config/load.ts';

/** Part of a filesystem that must stay free. */
const RESERVE = 0.05;

/**
 * Refuses a restore into a cluster that is not the backup's, that is too old, or that has no room for it. Gives the
 * folders of its nodes.
 */
export async function checkFits(w: RestoreWork): Promise<Places> {
  const { c, details } = w;
  const wanted = details.topology.nodes;
  const names = cassandraNodes(c.cluster).map((n) => n.name);
  if (names.length !== wanted.length || wanted.some((n) => !names.includes(n.name))) {
    throw new SkepError(
      'topology-mismatch',
      `the backup has nodes ${wanted.map((n) => n.name).join(', ')}, the cluster has ${names.join(', ')}`,
    );
  }
  const live = await discover(c.cluster, c.cql);
  for (const n of wanted) {
    const now = live.nodes.find((x) => x.name === n.name);
    if (!now || now.hostId !== n.hostId || [...now.tokens].sort().join() !== [...n.tokens].sort().join()) {
      throw new SkepError('topology-mismatch', `${n.name} has another host id or other tokens than in the backup`, {
        hint: 'Restore in place needs the very nodes of the backup.',
        context: { node: n.name },
      });
    }
    if (major(now.version) < major(n.version)) {
      throw new SkepError(
        'version-unsupported',
        `${n.name} runs Cassandra ${now.version}, the backup is of ${n.version}`,
      );
    }
    const part = w.parts.find((p) => p.node === n.name && p.store === 'cassandra');
    // SSTables are spread evenly over the data folders.
    await checkSpace(w, n.name, now.dataDirs, part?.bytes ?? 0);
  }
  const { files, elasticsearch } = c.cluster;
  await checkSpace(w, files.node, [files.location], sizeOf(w, 'files'));
  await checkSpace(w, elasticsearch.staging.node, [elasticsearch.staging.location], sizeOf(w, 'elasticsearch'));
  checkAuditTimes(w);
  return findPlaces(c, live, w.journal.run);
}

async function checkSpace(w: RestoreWork, node: string, paths: readonly string[], bytes: number): Promise<void> {
  const { space } = await agentOf(w.c.agents, node).call('node.facts', { paths: [...paths] });
  for (const s of space) {
    const sharing = space.filter((x) => x.device === s.device).length;
    const needed = Math.ceil((bytes * sharing) / paths.length);
    if (s.freeBytes - s.totalBytes * RESERVE >= needed) continue;
    throw new SkepError('no-space', `${s.path} on ${node} has ${s.freeBytes} bytes free, the restore needs ${needed}`, {
      context: { node, path: s.path, free: s.freeBytes, needed },
    });
  }
}

/** Without the field no audit entry would be found to be later than `T`, and all of them would stay. */
function checkAuditTimes(w: RestoreWork): void {
  const field = w.c.cluster.elasticsearch.audits_time_field;
  for (const index of w.details.search.audits) {
    if (index.docs === 0 || hasField(index.mappings, field)) continue;
    throw new SkepError('config-invalid', `${index.name} has no field ${field}: entries after T would not be found`, {
      hint: 'Set `elasticsearch.audits_time_field` in skep.yaml to the field with the time of an audit entry.',
      context: { index: index.name, field },
    });
  }
}

function hasField(mappings: Record<string, unknown>, field: string): boolean {
  const at = field
    .split('.')
    .reduce<unknown>(
      (node, name) => (node as { properties?: Record<string, unknown> } | undefined)?.properties?.[name],
      mappings,
    );
  return at !== undefined;
}

function sizeOf(w: RestoreWork, store: string): number {
  return w.parts.filter((p) => p.store === store).reduce((n, p) => n + p.bytes, 0);
}

/** `4.1.10` as 401, so that versions whose files differ compare. */
function major(version: string): number {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a * 100 + b;
}

/** What a restore would do, step by step. */
export function planRestore(w: RestoreWork): { text: string; changes: boolean }[] {
  const { topology, search, cut } = w.details;
  const nodes = topology.nodes.map((n) => n.name).join(', ');
  const indices = search.indices.map((i) => i.name).join(', ');
  const audits = search.audits.map((i) => i.name).join(', ');
  const { mode, text } = reconcileText(w);
  return [
    { text: `read every byte of backup ${w.backup} (T = ${cut.T} µs)`, changes: false },
    { text: 'stop TheHive', changes: true },
    { text: `keep what is there now: snapshots of Elasticsearch and of keyspace ${topology.keyspace}`, changes: true },
    { text: `bring the schema to the backup, ${topology.tables.length} tables with their ids`, changes: true },
    { text: `drain and stop Cassandra on ${nodes}`, changes: true },
    { text: 'set tables, commit logs, hints and caches aside (kept for undo)', changes: true },
    { text: 'lay out SSTables, commit logs up to T, attachments', changes: true },
    { text: `start Cassandra on ${nodes}`, changes: true },
    { text: `restore ${indices} beside the old one, count, swap`, changes: true },
    ...(audits ? [{ text: `restore ${audits}, set entries after T aside`, changes: true }] : []),
    ...(w.c.cluster.restore.repair ? [{ text: `nodetool repair --full on ${nodes}`, changes: true }] : []),
    { text: 'start TheHive', changes: true },
    ...(mode === 'none' ? [] : [{ text, changes: true }]),
  ];
}

function reconcileText(w: RestoreWork): { mode: string; text: string } {
  const mode = w.c.cluster.index.reconcile;
  return { mode, text: `make the index follow the graph (${mode})` };
}

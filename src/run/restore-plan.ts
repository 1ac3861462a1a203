import type { RestoreWork } from './restore-work.ts';

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

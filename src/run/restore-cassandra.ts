import { dirname, join } from 'node:path';
import type { TopologyNode } from '../discovery/topology.ts';
import { tableFolder } from '../drivers/cassandra/snapshot-files.ts';
import { SkepError } from '../errors.ts';
import { onCassandraNodes } from './connections.ts';
import { listingOf, type RestoreWork } from './restore-work.ts';

/** Where a node keeps the state before a restore: on the filesystem of the data, unless the configuration says where. */
function undoFolder(w: RestoreWork, node: TopologyNode): string {
  const base = w.c.cluster.restore.undo_folder ?? join(dirname(node.dataDirs[0] as string), 'skep-undo');
  return join(base, w.journal.run, node.name);
}

function nodeOfBackup(w: RestoreWork, name: string): TopologyNode {
  const node = w.details.topology.nodes.find((n) => n.name === name);
  if (!node) throw new SkepError('topology-mismatch', `the backup has no node ${name}`);
  return node;
}

/** Moves what the restore replaces into the undo folder; snapshots stay where they are. Every node is stopped. */
export async function setCassandraAside(w: RestoreWork): Promise<void> {
  const { keyspace, tables } = w.details.topology;
  await onCassandraNodes(w.c, async (agent, name) => {
    const node = nodeOfBackup(w, name);
    const undo = undoFolder(w, node);
    const moves = [
      ...node.dataDirs.flatMap((dir, i) =>
        tables.map((t) => ({
          from: join(dir, keyspace, tableFolder(t)),
          to: join(undo, `data${i}`, tableFolder(t)),
          keep: ['snapshots', 'backups'],
        })),
      ),
      { from: node.commitlogDir, to: join(undo, 'commitlog'), keep: ['skep-pins'] },
      { from: node.hintsDir, to: join(undo, 'hints'), keep: [] },
      { from: node.savedCachesDir, to: join(undo, 'saved_caches'), keep: [] },
    ];
    await agent.call('restore.aside', { moves }, { signal: w.signal });
  });
}

/** Lays out each node's SSTables, and its commit log filtered at `T` under fresh segment ids. */
export async function layOutCassandra(w: RestoreWork): Promise<void> {
  const { details, signal, emit } = w;
  const { keyspace, tables } = details.topology;
  await onCassandraNodes(w.c, async (agent, name) => {
    const node = nodeOfBackup(w, name);
    const listing = listingOf(w, 'cassandra', name);
    const repository = w.c.cluster.repository;
    const [dir] = node.dataDirs as [string, ...string[]];
    await agent.call(
      'restore.sstables',
      {
        repository,
        listing,
        tables: Object.fromEntries(
          tables.map((t) => [
            t.id,
            { to: join(dir, keyspace, tableFolder(t)), reuse: join(undoFolder(w, node), 'data0', tableFolder(t)) },
          ]),
        ),
      },
      {
        signal,
        onProgress: (p) =>
          emit({
            type: 'progress',
            node: name,
            store: 'cassandra',
            stage: 'lay out',
            ...p,
            totalFiles: listing.files,
            totalBytes: listing.bytes,
          }),
      },
    );
    const ids = details.cut.segments.flatMap((s) => s.ids).map(BigInt);
    await agent.call(
      'restore.segments',
      {
        repository,
        listing,
        T: details.cut.T,
        schema: details.schema.rows,
        truncated: details.cut.truncated[name] ?? [],
        foreign: details.schema.foreign,
        to: node.commitlogDir,
        above: String(ids.reduce((a, b) => (a > b ? a : b), 0n)),
      },
      { signal },
    );
  });
}

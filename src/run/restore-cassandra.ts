import { join } from 'node:path';
import { tableFolder } from '../drivers/cassandra/snapshot-files.ts';
import { onCassandraNodes } from './connections.ts';
import { accessFor } from './data-path.ts';
import { placesOf } from './restore-places.ts';
import { listingOf, type RestoreWork } from './restore-work.ts';

/** Folders of skep itself that may be inside a folder of Cassandra. */
const OWN = ['skep-pins', 'skep-undo'];

/** Moves what the restore replaces into the undo folders; snapshots stay where they are. Every node is stopped. */
export async function setCassandraAside(w: RestoreWork): Promise<void> {
  const { keyspace, tables } = w.details.topology;
  await onCassandraNodes(w.c, async (agent, name) => {
    const { data, commitlog, others } = placesOf(w.journal, name);
    const moves = [
      ...data.flatMap(({ folder, undo }) =>
        tables.map((t) => ({
          from: join(folder, keyspace, tableFolder(t)),
          to: join(undo, tableFolder(t)),
          keep: ['snapshots', 'backups'],
        })),
      ),
      ...[commitlog, ...others].map(({ folder, undo }) => ({ from: folder, to: undo, keep: OWN })),
    ];
    await agent.call('restore.aside', { moves }, { signal: w.signal });
  });
}

/** Lays out each node's SSTables, and its commit log filtered at `T` under fresh segment ids. */
export async function layOutCassandra(w: RestoreWork): Promise<void> {
  const { details, signal, emit } = w;
  const { keyspace, tables } = details.topology;
  await onCassandraNodes(w.c, async (agent, name) => {
    const { data, commitlog } = placesOf(w.journal, name);
    const listing = listingOf(w, 'cassandra', name);
    const repository = accessFor(w.c, name, 'cassandra');
    await agent.call(
      'restore.sstables',
      {
        repository,
        listing,
        tables: Object.fromEntries(
          tables.map((t) => [
            t.id,
            {
              to: data.map(({ folder }) => join(folder, keyspace, tableFolder(t))),
              reuse: data.map(({ undo }) => join(undo, tableFolder(t))),
            },
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
        to: commitlog.folder,
        aside: commitlog.undo,
        above: String(ids.reduce((a, b) => (a > b ? a : b), 0n)),
      },
      { signal },
    );
  });
}

import { hostname } from 'node:os';
import {
  type Compression,
  type FolderMarks,
  newBackupId,
  openRepository,
  type RepositoryAccess,
} from '../../src/repository/index.ts';
import { previousListing } from '../../src/run/previous-listing.ts';
import { clearSnapshotArgs, snapshotArgs } from '../../src/drivers/cassandra/nodetool.ts';
import type { CassandraSource } from '../data/node.ts';
import { input, openAgent, print } from './agent.ts';

/**
 * One backup of one node as `skep backup` takes it, without the waiting for the cut: lease, attachments pass 1, pins, the
 * snapshot's files, segments, attachments pass 2, publish. Agent and controller are one process here.
 */
const { access, compression, attachments, cassandra } = input<{
  access: RepositoryAccess;
  compression?: Compression;
  attachments?: string;
  cassandra?: CassandraSource;
}>();

const repository = await openRepository(access);
const run = newBackupId();
const startedAt = new Date().toISOString();
const lease = await repository.acquireLease('write', { run, host: hostname(), pid: process.pid });
const agent = openAgent();
const parts = [];
const marks = new Map<string, FolderMarks>();
const target = (store: string) => ({
  repository: access,
  run,
  writer: `n1-${store}`,
  ...(compression ? { compression } : {}),
});
let nodetoolMs = 0;
const tell = async (argv: string[]) => {
  const since = performance.now();
  const { exitCode, stderr } = await agent.call('node.run', { argv, timeoutMs: 120_000 });
  nodetoolMs += performance.now() - since;
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}: ${stderr}`);
};

if (attachments !== undefined) {
  const previous = await previousListing(repository, 'n1', 'files');
  await agent.call('files.start', {
    target: target('files'),
    location: attachments,
    pollMs: 200,
    ...(previous ? { previous } : {}),
  });
}
if (cassandra !== undefined) {
  const { commitlogDir, reader, nodetool, ...snapshot } = cassandra;
  await agent.call('pin.start', { run, commitlogDir });
  if (nodetool) await tell([...nodetool, ...snapshotArgs(snapshot.tag, snapshot.keyspace, 3_600_000)]);
  await agent.call('capture.cassandra', { target: target('cassandra'), ...snapshot });
  await agent.call('pin.freeze', { run });
  const { schema, foreign } = reader ?? { schema: { tables: [], columns: [] }, foreign: [] };
  const rules = { T: String(Date.now() * 1000 + 1), schema, truncated: [], foreign };
  const { listing, newBytes } = await agent.call('capture.segments', { target: target('cassandra'), ...rules });
  if (nodetool) await tell([...nodetool, ...clearSnapshotArgs(snapshot.tag, snapshot.keyspace)]);
  parts.push({ node: 'n1', store: 'cassandra', ...listing, newBytes });
}
if (attachments !== undefined) {
  const { listing, newBytes, marks: seen } = await agent.call('files.finish', { target: target('files') });
  marks.set(listing.inventory, seen);
  await agent.call('files.stop', { run });
  parts.push({ node: 'n1', store: 'files', ...listing, newBytes });
}
await agent.end();
await repository.publish(
  {
    id: run,
    startedAt,
    finishedAt: new Date().toISOString(),
    consistency: 'cut',
    cutMicros: String(Date.now() * 1000 + 1),
    parts,
    details: {},
  },
  { lease, marks },
);
await lease.release();
await repository.discardRun(run);
print({
  id: run,
  files: parts.reduce((n, p) => n + p.files, 0),
  newBytes: parts.reduce((n, p) => n + p.newBytes, 0),
  nodetool_s: Math.round(nodetoolMs) / 1000,
});

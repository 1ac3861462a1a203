import { hostname } from 'node:os';
import { newBackupId, openRepository, type RepositoryAccess } from '../../src/repository/index.ts';
import { previousListing } from '../../src/run/previous-listing.ts';
import type { CassandraSource } from '../data/node.ts';
import { input, openAgent, print } from './agent.ts';

/**
 * One backup of one node as `skep backup` takes it, without the waiting for the cut: lease, attachments pass 1, pins, the
 * snapshot's files, segments, attachments pass 2, publish. Agent and controller are one process here.
 */
const { access, attachments, cassandra } = input<{
  access: RepositoryAccess;
  attachments?: string;
  cassandra?: CassandraSource;
}>();

const repository = await openRepository(access);
const run = newBackupId();
const startedAt = new Date().toISOString();
const lease = await repository.acquireLease('write', { run, host: hostname(), pid: process.pid });
const agent = openAgent();
const parts = [];
const target = (store: string) => ({ repository: access, run, writer: `n1-${store}` });

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
  const { commitlogDir, ...snapshot } = cassandra;
  await agent.call('pin.start', { run, commitlogDir });
  await agent.call('capture.cassandra', { target: target('cassandra'), ...snapshot });
  await agent.call('pin.freeze', { run });
  const schema = { tables: [], columns: [] };
  const rules = { T: String(Date.now() * 1000 + 1), schema, truncated: [], foreign: [] };
  const { listing, newBytes } = await agent.call('capture.segments', { target: target('cassandra'), ...rules });
  parts.push({ node: 'n1', store: 'cassandra', ...listing, newBytes });
}
if (attachments !== undefined) {
  const { listing, newBytes } = await agent.call('files.finish', { target: target('files') });
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
  { lease },
);
await lease.release();
await repository.discardRun(run);
print({ id: run, files: parts.reduce((n, p) => n + p.files, 0), newBytes: parts.reduce((n, p) => n + p.newBytes, 0) });

// What a thread for files runs: see file-threads.ts.
import { parentPort } from 'node:worker_threads';
import { SkepError, toSkepError } from '../../../errors.ts';
import type { OpenFile } from '../../backend/backend.ts';
import { repositoryFsError } from '../../backend/path/fs-error.ts';
import { PathBackend } from '../../backend/path/path-backend.ts';
import { isCompressed } from '../../format/names.ts';
import { storedGroups } from '../../listing/stored-groups.ts';
import { UNSEALED } from '../../sealing/keyring.ts';
import { decode } from '../decode.ts';
import { destinationError } from '../destination-error.ts';
import { sourceError } from '../source-file.ts';
import { hashContent, hashForEncoding, type ReadWatch, storeContent } from '../store-content.ts';
import type { Job, JobResults, Order, Report } from './jobs.ts';
import { chunksOf, WrittenFile } from './open-files.ts';

/** So often a job tells how far it is. */
const TELL_EACH = 8 << 20;

const port = parentPort;
if (port === null) throw new SkepError('internal', 'not in a thread');

port.on('message', ({ job, cancelled }: Order) => {
  const tell = (report: Report) => port.postMessage(report);
  doJob(job, new Int32Array(cancelled), tell).then(
    (result) => tell({ result }),
    (error: unknown) => tell({ error: toSkepError(error).toJSON() }),
  );
});

async function doJob(job: Job, cancelled: Int32Array, tell: (report: Report) => void): Promise<JobResults[Job['do']]> {
  let read = 0;
  let told = 0;
  let written = () => 0;
  const watch: ReadWatch = {
    check() {
      if (Atomics.load(cancelled, 0) !== 0) throw new SkepError('cancelled', 'the job was cancelled');
    },
    onBytes(bytes) {
      read += bytes;
      if (read - told < TELL_EACH) return;
      told = read;
      tell({ read, written: written() });
    },
  };
  if (job.do === 'look') {
    const vault = { backend: new PathBackend(job.location), keyring: UNSEALED };
    for await (const group of storedGroups(vault, job.root)) {
      watch.check();
      tell({ group });
    }
    return null;
  }
  if (job.do === 'extract') {
    const target = new WrittenFile(job.to, (cause) => destinationError(cause, job.to.path));
    written = () => target.size;
    return extract(job, target, watch);
  }
  const chunks = chunksOf(job.from, (cause) => sourceError(cause, job.from.path));
  if (job.do === 'hash') return hashForEncoding(chunks, job.encoder, watch);
  const staged = new WrittenFile(job.to, (cause) => repositoryFsError(cause, `write ${job.to.path}`));
  written = () => staged.size;
  return storeContent(chunks, staged, job.encoder, watch);
}

async function extract(
  { from, encoding, identities }: Job & { do: 'extract' },
  target: WrittenFile,
  watch: ReadWatch,
): Promise<JobResults['extract']> {
  const stored = storedChunks(from, isCompressed(encoding));
  return hashContent(decode(stored, encoding, identities), watch, (chunk) => target.write(chunk));
}

/** A decompressor reads on while it works: it needs chunks of its own. */
async function* storedChunks(from: OpenFile, copied: boolean): AsyncGenerator<Buffer> {
  for (const chunk of chunksOf(from, (cause) => repositoryFsError(cause, `read ${from.path}`))) {
    yield copied ? Buffer.from(chunk) : chunk;
  }
}

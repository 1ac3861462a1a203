import { join } from 'node:path';
import { UNDO_FOLDER } from '../drivers/files/walk.ts';
import type { ListingRef, Progress } from '../protocol/methods.ts';
import { agentOf } from './connections.ts';
import { accessFor } from './data-path.ts';
import { restoreFolder } from './restore-search.ts';
import { isS3Location } from '../s3/location.ts';
import { listingOf, type RestoreWork } from './restore-work.ts';

/**
 * The attachments: the previous ones are set aside first, those with the same content come back as links. In a bucket those
 * with the same content stay where they are.
 */
export async function layOutFiles(w: RestoreWork): Promise<void> {
  const { location, node } = w.c.cluster.files;
  const agent = agentOf(w.c.agents, node, 'files');
  const listing = listingOf(w, 'files');
  const onProgress = progressOf(w, node, 'files', listing);
  if (isS3Location(location)) {
    const repository = accessFor(w.c, node, 'files');
    const p = { repository, listing, to: w.c.attachments, aside: `${UNDO_FOLDER}/${w.journal.run}` };
    await agent.call('restore.objects', p, { signal: w.signal, onProgress });
    return;
  }
  const aside = join(location, UNDO_FOLDER, w.journal.run);
  if (!w.journal.isDone('files-aside')) {
    await agent.call('restore.aside', { moves: [{ from: location, to: aside, keep: [UNDO_FOLDER] }] });
    await w.journal.markDone('files-aside');
  }
  await agent.call(
    'restore.tree',
    { repository: accessFor(w.c, node, 'files'), listing, prefix: '', to: location, reuse: aside },
    { signal: w.signal, onProgress },
  );
}

/** The files of the Elasticsearch snapshot, as a repository of their own. */
export async function layOutSearch(w: RestoreWork): Promise<void> {
  const { node } = w.c.cluster.elasticsearch.staging;
  const listing = listingOf(w, 'elasticsearch');
  await agentOf(w.c.agents, node, 'elasticsearch').call(
    'restore.tree',
    { repository: accessFor(w.c, node, 'elasticsearch'), listing, prefix: '', to: restoreFolder(w.c, w.journal.run) },
    { signal: w.signal, onProgress: progressOf(w, node, 'elasticsearch', listing) },
  );
}

function progressOf(w: RestoreWork, node: string, store: string, listing: ListingRef): (p: Progress) => void {
  const { files: totalFiles, bytes: totalBytes } = listing;
  return (p) => w.emit({ type: 'progress', node, store, stage: 'lay out', ...p, totalFiles, totalBytes });
}

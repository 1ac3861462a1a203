import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openAttachments } from '../../drivers/files/attachment-store.ts';
import { promisedContent, walkFiles } from '../../drivers/files/walk.ts';
import { SkepError } from '../../errors.ts';
import { type FileEntry, fileEntry, sourceError } from '../../repository/index.ts';
import { AttachmentCapture } from '../attachment-capture.ts';
import { attributesOf } from '../attributes-of.ts';
import type { MethodHandlers } from '../handlers.ts';

export const filesHandlers = {
  async 'files.start'(p, { session, signal, progress }) {
    const store = await session.openStore(p.target, { hints: false });
    const capture = new AttachmentCapture(store, p, p.target.run, p.previous);
    session.attachments.set(p.target.run, capture);
    return capture.start(p.pollMs, progress, signal);
  },

  async 'files.finish'(p, { session, signal }) {
    const capture = session.attachments.get(p.target.run);
    if (!capture) throw new SkepError('protocol-error', 'files.finish before files.start');
    return capture.finish(signal);
  },

  async 'files.stop'(p, { session }) {
    const capture = session.attachments.get(p.run);
    session.attachments.delete(p.run);
    await capture?.close(session);
    return null;
  },

  /** A sample spread over all attachments, each `k`-th of them: those whose content is not what the name promises. */
  async 'files.sample'(p, { signal }) {
    const attachments = openAttachments(p);
    const all: string[] = [];
    let seen = 0;
    // Reservoir of `count` names, so that memory stays flat on a million attachments.
    for await (const path of attachments.paths(signal)) {
      if (!promisedContent(path)) continue;
      seen++;
      if (all.length < p.count) all.push(path);
      else {
        const at = Math.floor(Math.random() * seen);
        if (at < p.count) all[at] = path;
      }
    }
    const mismatched: string[] = [];
    let looked = 0;
    for (const path of all) {
      signal.throwIfAborted();
      const s = await attachments.stateOf(path);
      // Written a moment ago: TheHive writes in place, it may not be whole yet.
      if (!s || Date.now() - s.mtimeMs < 60_000) continue;
      const promised = promisedContent(path);
      if (!promised) continue;
      try {
        if ((await attachments.hashOf(path, promised.algorithm, signal)) !== promised.hash) mismatched.push(path);
        looked++;
      } catch (e) {
        // Only one that was deleted meanwhile need not be readable.
        if (await attachments.stateOf(path)) throw e;
      }
    }
    return { looked, mismatched };
  },

  async 'capture.tree'(p, { session, signal, progress }) {
    const store = await session.openStore(p.target);
    const paths: string[] = [];
    try {
      for await (const path of walkFiles(p.folder)) paths.push(path);
    } catch (e) {
      throw sourceError(e, p.folder);
    }
    const entries: FileEntry[] = [];
    let bytes = 0;
    for (const path of paths.sort()) {
      signal.throwIfAborted();
      const absolute = join(p.folder, path);
      const s = await stat(absolute).catch((e: unknown) => {
        throw sourceError(e, absolute);
      });
      const o = await store.writer.putFile(absolute, { signal });
      bytes += o.size;
      entries.push(fileEntry(path, o, attributesOf(s)));
      progress({ files: entries.length, bytes, totalFiles: paths.length });
    }
    const listing = await store.repository.writeListing(entries, store.writer, { signal });
    const { newBytes, newObjects } = store.writer.totals;
    await session.closeStore(store);
    return { listing, newBytes, newObjects };
  },
} satisfies Partial<MethodHandlers>;

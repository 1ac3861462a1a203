import { Pins } from '../../cut/pins.ts';
import { removePins } from '../../cut/remove-pins.ts';
import { snapshotFiles, snapshotTags } from '../../drivers/cassandra/snapshot-files.ts';
import { newestWrite } from '../../drivers/cassandra/sstable-times.ts';
import { SkepError } from '../../errors.ts';
import { compareBytewise, type FileEntry, fileEntry } from '../../repository/index.ts';
import type { MethodHandlers } from '../handlers.ts';
import { storeSegments } from '../store-segments.ts';

/** Two keep the threads for files busy, and a third one finds and names meanwhile. */
const PARALLEL = 3;

export const cassandraHandlers = {
  async 'pin.start'(p, { session }) {
    const pins = await Pins.start(p.commitlogDir, p.run);
    session.pins.set(p.run, pins);
    return pins.list();
  },

  async 'pin.list'(p, { session }) {
    return pinsOf(session.pins, p.run).list();
  },

  async 'pin.freeze'(p, { session }) {
    return pinsOf(session.pins, p.run).freeze();
  },

  async 'pin.clear'(p, { session }) {
    const pins = session.pins.get(p.run);
    session.pins.delete(p.run);
    await pins?.clear();
    return null;
  },

  async 'pin.remove'(p) {
    await removePins(p.folder).catch((e: NodeJS.ErrnoException) => {
      throw new SkepError('command-failed', `cannot remove the pins ${p.folder} of a dead run: ${e.code}`, {
        cause: e,
      });
    });
    return null;
  },

  async 'snapshot.check'(p) {
    const files = await snapshotFiles(p.dataDirs, p.keyspace, p.tag, p.tables);
    const newest = await newestWrite(files);
    return { files: files.length, bytes: files.reduce((n, f) => n + f.size, 0), ...(newest ? { newest } : {}) };
  },

  async 'snapshot.leftovers'(p) {
    return { tags: await snapshotTags(p.dataDirs, p.keyspace, p.prefix) };
  },

  async 'capture.cassandra'(p, { session, signal, progress }) {
    const files = await snapshotFiles(p.dataDirs, p.keyspace, p.tag, p.tables);
    const totalBytes = files.reduce((n, f) => n + f.size, 0);
    // A capture that is begun again (the cut was taken again) goes on with the same writer.
    const capture = session.cassandra.get(p.target.run) ?? {
      store: await session.openStore(p.target),
      entries: [],
    };
    session.cassandra.set(p.target.run, capture);
    const entries: FileEntry[] = [];
    let bytes = 0;
    let last = 0;
    const next = files.values();
    const worker = async () => {
      for (const f of next) {
        const onBytes = (n: number) => {
          bytes += n;
        };
        const o = await capture.store.writer.putFile(f.absolute, { signal, onBytes });
        entries.push(fileEntry(`sstables/${f.path}`, o, { mtimeMs: Math.floor(f.mtimeMs) }));
        if (Date.now() - last > 250) {
          last = Date.now();
          progress({ files: entries.length, bytes, totalFiles: files.length, totalBytes });
        }
      }
    };
    await Promise.all(Array.from({ length: p.target.parallel ?? PARALLEL }, worker));
    capture.entries = entries;
    progress({ files: files.length, bytes: totalBytes, totalFiles: files.length, totalBytes });
    return { files: files.length, bytes: totalBytes };
  },

  async 'capture.segments'(p, { session, signal }) {
    const capture = session.cassandra.get(p.target.run);
    if (!capture) throw new SkepError('protocol-error', 'capture.segments before capture.cassandra');
    const { store } = capture;
    const pinned = await pinsOf(session.pins, p.target.run).list();
    const { entries, evidence } = await storeSegments(pinned, p, store.writer, signal);
    const all = [...entries, ...capture.entries].sort((a, b) => compareBytewise(a.path, b.path));
    const listing = await store.repository.writeListing(all, store.writer, { signal });
    const { newBytes, newObjects } = store.writer.totals;
    session.cassandra.delete(p.target.run);
    await session.closeStore(store);
    return { listing, newBytes, newObjects, evidence };
  },
} satisfies Partial<MethodHandlers>;

function pinsOf(all: ReadonlyMap<string, Pins>, run: string): Pins {
  const pins = all.get(run);
  if (!pins) throw new SkepError('protocol-error', `nothing is pinned for ${run}`);
  return pins;
}

import { SkepError } from '../../errors.ts';
import { readObject } from '../content/object-reader.ts';
import { BatchObjectWriter } from '../content/object-writer.ts';
import { contentHash, encodingOf, fileEntry, type FileEntry, type ListingEntry } from '../format/listing-entry.ts';
import type { ManifestPart } from '../format/manifest.ts';
import { readListing, writeListing } from '../listing/listing.ts';
import { publish } from '../publish.ts';
import { openDetails } from '../sealing/details.ts';
import type { StoredObject } from '../types.ts';
import type { Chosen } from './choose.ts';
import { publishing, type CopyJob } from './job.ts';
import type { CopyTotals } from './stored-copier.ts';

/** Up to this size a content is opened in memory; of a larger one nothing is kept in plain. */
const SMALL = 8 << 20;
const PARALLEL = 4;
/** Entries that wait for one flush. */
const GROUP = 4096;

/** Opens the contents of a backup with the source's keys and stores them with the target's. Needs the source's identity. */
export async function copyResealed(job: CopyJob, { id, origin, manifest }: Chosen): Promise<CopyTotals> {
  const { source, target, options } = job;
  const details = manifest.details ?? (await openDetails(manifest.sealed ?? '', manifest.id, source.vault.keyring));
  const totals: CopyTotals = { keys: 0, bytes: 0, newKeys: 0, newBytes: 0 };
  const parts: ManifestPart[] = [];
  for (const [i, part] of manifest.parts.entries()) {
    const writer = new BatchObjectWriter(target.vault, {
      run: options.owner.run,
      writer: `copy-${i}`,
      compression: 'auto',
    });
    try {
      const entries = inOrder(readListing(source.vault, part.root), (entry) => copyEntry(job, writer, entry));
      const listing = await writeListing(
        published(entries, writer),
        writer,
        options.signal ? { signal: options.signal } : {},
      );
      await writer.close();
      const { objects, bytes, newObjects, newBytes } = writer.totals;
      parts.push({ node: part.node, store: part.store, ...listing, newBytes });
      totals.keys += objects;
      totals.bytes += bytes;
      totals.newKeys += newObjects;
      totals.newBytes += newBytes;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
  const hostIds = options.hostIdsOf?.(details, manifest.id);
  const { startedAt, finishedAt, consistency, cutMicros, windowMs } = manifest;
  const when = { ...(cutMicros === undefined ? {} : { cutMicros }), ...(windowMs === undefined ? {} : { windowMs }) };
  await publish(
    target.vault,
    target.descriptor,
    {
      id,
      startedAt,
      finishedAt,
      consistency,
      ...when,
      parts,
      copiedFrom: origin,
      details,
      ...(hostIds ? { hostIds } : {}),
    },
    publishing(job),
  );
  return totals;
}

async function copyEntry(job: CopyJob, writer: BatchObjectWriter, entry: ListingEntry): Promise<ListingEntry> {
  if (entry.linkTo !== undefined) return entry;
  const stored = await copyContent(job, writer, entry);
  if (stored.sha256 !== contentHash(entry)) throw new SkepError('object-damaged', `${entry.path} has another content`);
  job.options.onBytes?.(stored.size);
  const { mtimeMs, mode } = entry;
  return fileEntry(entry.path, stored, {
    ...(mtimeMs === undefined ? {} : { mtimeMs }),
    ...(mode === undefined ? {} : { mode }),
  });
}

async function copyContent(
  { source, options }: CopyJob,
  writer: BatchObjectWriter,
  entry: FileEntry,
): Promise<StoredObject> {
  const { path, object, size } = entry;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const reading = { ...signal, prefer: encodingOf(entry) };
  if (size <= SMALL) {
    const chunks: Buffer[] = [];
    for await (const chunk of await readObject(source.vault, object, reading)) chunks.push(chunk as Buffer);
    return writer.putBytes(Buffer.concat(chunks));
  }
  return writer.putStream(() => readObject(source.vault, object, reading), { ...signal, path, size });
}

/** Only a flush tells in which form a content is there that another writer, or a copy that failed, has published before. */
async function* published<T>(items: AsyncIterable<T>, writer: BatchObjectWriter): AsyncGenerator<T> {
  let group: T[] = [];
  for await (const item of items) {
    if (group.push(item) < GROUP) continue;
    await writer.flush();
    yield* group;
    group = [];
  }
  await writer.flush();
  yield* group;
}

/** Several at a time, given out in the order in which they came. */
async function* inOrder<T, R>(items: AsyncIterable<T>, work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const under: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It may fail while an earlier one is awaited; it is told when its turn comes.
      result.catch(() => undefined);
      under.push(result);
      if (under.length >= PARALLEL) yield await (under.shift() as Promise<R>);
    }
    while (under.length > 0) yield await (under.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(under);
  }
}

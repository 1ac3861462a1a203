import { BucketStore } from '../drivers/files/bucket-store.ts';
import { isAttachmentKey } from '../drivers/files/walk.ts';
import { SkepError } from '../errors.ts';
import type { Progress } from '../protocol/methods.ts';
import { compareBytewise, contentHash, encodingOf, type FileEntry, type Repository } from '../repository/index.ts';
import type { Bucket, ListedKey } from '../s3/bucket.ts';
import { openObject } from '../s3/read-object.ts';
import { uploadStream } from '../s3/upload.ts';

const PARALLEL = 4;
/** What a storage copies by itself. */
const MOST_COPIED = 5 * 1024 ** 3;

/** A key: what the listing wants there, what the bucket has there; at least one of them. */
interface Place {
  key: string;
  wanted: FileEntry | undefined;
  found: ListedKey | undefined;
}

interface Totals {
  files: number;
  bytes: number;
  /** Those whose content was there. */
  reused: number;
  /** Keys that were moved aside. */
  moved: number;
}

/**
 * Makes a bucket hold what a listing holds and nothing else. What is there with the same content stays; what is there
 * otherwise is first copied to below `aside`, in the same bucket. May be repeated after an interruption.
 */
export async function layOutObjects(
  repository: Repository,
  root: string,
  to: { bucket: Bucket; aside: string },
  o: { signal: AbortSignal; progress: (p: Progress) => void },
): Promise<Totals> {
  const { bucket, aside } = to;
  const total: Totals = { files: 0, bytes: 0, reused: 0, moved: 0 };
  const failed = new AbortController();
  const signal = AbortSignal.any([o.signal, failed.signal]);
  const places = join(wantedFiles(repository, root), foundKeys(bucket, signal));
  const worker = async (): Promise<void> => {
    for (let next = await places.next(); !next.done; next = await places.next()) {
      signal.throwIfAborted();
      const { key, wanted, found } = next.value;
      if (wanted !== undefined && found !== undefined && (await holds(bucket, found, wanted, signal))) total.reused++;
      else {
        if (found !== undefined) {
          await copyAside(bucket, found, `${aside}/${key}`, signal);
          total.moved++;
        }
        if (wanted === undefined) await bucket.remove(key, signal);
        else await put(repository, bucket, wanted, signal);
      }
      if (wanted === undefined) continue;
      total.files++;
      total.bytes += wanted.size;
      o.progress({ files: total.files, bytes: total.bytes });
    }
  };
  const workers = Array.from({ length: PARALLEL }, worker);
  for (const w of workers) w.catch((e) => failed.abort(e));
  await Promise.allSettled(workers);
  failed.signal.throwIfAborted();
  return total;
}

async function* wantedFiles(repository: Repository, root: string): AsyncGenerator<[string, FileEntry]> {
  for await (const e of repository.readListing({ root })) if (e.linkTo === undefined) yield [e.path, e];
}

async function* foundKeys(bucket: Bucket, signal: AbortSignal): AsyncGenerator<[string, ListedKey]> {
  let before = '';
  for await (const page of bucket.pages('', { signal })) {
    for (const k of page) {
      if (k.key !== '' && compareBytewise(before, k.key) >= 0) {
        // What is there could be taken for what is not wanted.
        throw new SkepError(
          'attachments-failed',
          `${bucket.location} is listed out of order: ${k.key} after ${before}`,
        );
      }
      before = k.key;
      if (isAttachmentKey(k.key)) yield [k.key, k];
    }
  }
}

/** Both are sorted by the bytes of their names: what has the same name comes together. */
async function* join(
  listing: AsyncGenerator<[string, FileEntry]>,
  bucket: AsyncGenerator<[string, ListedKey]>,
): AsyncGenerator<Place> {
  let [wanted, found] = [await listing.next(), await bucket.next()];
  while (!wanted.done || !found.done) {
    const order = wanted.done ? 1 : found.done ? -1 : compareBytewise(wanted.value[0], found.value[0]);
    const [key, entry] = wanted.done || order > 0 ? [undefined, undefined] : wanted.value;
    const [there, k] = found.done || order < 0 ? [undefined, undefined] : found.value;
    yield { key: (key ?? there) as string, wanted: entry, found: k };
    if (order <= 0) wanted = await listing.next();
    if (order >= 0) found = await bucket.next();
  }
}

async function holds(bucket: Bucket, found: ListedKey, wanted: FileEntry, signal: AbortSignal): Promise<boolean> {
  return (
    found.size === wanted.size &&
    (await new BucketStore(bucket).hashOf(found.key, 'sha256', signal)) === contentHash(wanted)
  );
}

async function put(repository: Repository, bucket: Bucket, entry: FileEntry, signal: AbortSignal): Promise<void> {
  const stream = await repository.readObject(entry.object, { signal, prefer: encodingOf(entry) });
  try {
    await uploadStream(bucket, entry.path, { size: entry.size, stream }, signal);
  } finally {
    stream.destroy();
  }
}

/** What was moved to the same place before stays, under its name. */
async function copyAside(bucket: Bucket, found: ListedKey, to: string, signal: AbortSignal): Promise<void> {
  let free = to;
  for (let n = 2; await bucket.look(free, signal); n++) free = `${to}.${n}`;
  if (found.size <= MOST_COPIED) return bucket.copy(found.key, free, signal);
  const { size, stream } = await openObject(bucket, found.key, { signal });
  try {
    if (size !== found.size) throw new SkepError('attachments-failed', `${found.key} changes while it is moved aside`);
    await uploadStream(bucket, free, { size, stream }, signal);
  } finally {
    stream.destroy();
  }
}

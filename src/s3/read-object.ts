import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { SkepError } from '../errors.ts';
import type { Bucket } from './bucket.ts';

/** How often a stream that breaks off is taken up again without a byte in between. */
const RESUMES = 5;

/** What is read of a key: a part of it (`end` is exclusive), an older version. */
export interface Wanted {
  range?: { start: number; end: number } | undefined;
  version?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface OpenObject {
  /** Bytes that are to come. */
  size: number;
  /** When it was written, in ms since 1970, by the storage's clock. */
  modifiedMs: number;
  /** Of a bucket that keeps versions: the one that is read. */
  version?: string | undefined;
  /** Must be read or destroyed. */
  stream: Readable;
}

/** A key's bytes as a stream; one that breaks off goes on where it was. */
export async function openObject(bucket: Bucket, key: string, wanted: Wanted = {}): Promise<OpenObject> {
  const stopping = new AbortController();
  const signal = wanted.signal === undefined ? stopping.signal : AbortSignal.any([stopping.signal, wanted.signal]);
  const first = await bucket.open(key, wanted, signal);
  if (first === undefined) return { size: 0, modifiedMs: 0, stream: Readable.from([]) };
  const stream = Readable.from(chunks(bucket, key, wanted, first, signal), { objectMode: false });
  // Who stops reading gives the connection back at once.
  stream.once('close', () => stopping.abort());
  const { ContentLength: size = 0, LastModified, VersionId: version } = first;
  return { size, modifiedMs: LastModified?.getTime() ?? 0, version, stream };
}

export async function readObject(bucket: Bucket, key: string, range?: Wanted['range']): Promise<Readable> {
  return (await openObject(bucket, key, { range })).stream;
}

export async function readWhole(bucket: Bucket, key: string, range?: Wanted['range']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await readObject(bucket, key, range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function* chunks(
  bucket: Bucket,
  key: string,
  { range, version }: Wanted,
  first: GetObjectCommandOutput & { Body: Readable },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const end = range?.end ?? Infinity;
  let position = range?.start ?? 0;
  let failures = 0;
  for (let from: (GetObjectCommandOutput & { Body: Readable }) | undefined = first; from !== undefined;) {
    const body = from.Body;
    try {
      for await (const chunk of body) {
        position += (chunk as Buffer).length;
        failures = 0;
        yield chunk as Buffer;
      }
      return;
    } catch (error) {
      if (signal.aborted || error instanceof SkepError || ++failures > RESUMES) {
        throw bucket.failure(error, `read ${key}`, signal);
      }
    } finally {
      body.destroy();
    }
    if (position >= end) return;
    const rest = { range: { start: position, end }, version: version ?? first.VersionId, etag: first.ETag };
    from = await bucket.open(key, rest, signal);
    // Some storages do not know ranges and send all.
    if (from !== undefined && position > 0 && from.ContentRange?.startsWith(`bytes ${position}-`) !== true) {
      from.Body.destroy();
      throw bucket.failure(Object.assign(new Error('it does not go on'), { name: 'NotTheRest' }), `read ${key}`);
    }
  }
}

import { Readable } from 'node:stream';
import { SkepError } from '../../../errors.ts';
import type { ByteRange } from '../backend.ts';
import type { S3Bucket } from './s3-bucket.ts';

/** How often a stream that breaks off is taken up again without a byte in between. */
const RESUMES = 5;

/** The bytes of a key as a stream; one that breaks off goes on where it was. */
export async function readObject(bucket: S3Bucket, key: string, range?: ByteRange): Promise<Readable> {
  const stopping = new AbortController();
  const first = await bucket.get(key, range, stopping.signal);
  if (first === undefined) return Readable.from([]);
  const stream = Readable.from(chunks(bucket, key, { range, first, signal: stopping.signal }), { objectMode: false });
  // Who stops reading gives the connection back at once.
  stream.once('close', () => stopping.abort());
  return stream;
}

async function* chunks(
  bucket: S3Bucket,
  key: string,
  o: { range: ByteRange | undefined; first: Readable; signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const end = o.range?.end ?? Infinity;
  let position = o.range?.start ?? 0;
  let failures = 0;
  for (let body: Readable | undefined = o.first; body !== undefined;) {
    try {
      for await (const chunk of body) {
        position += (chunk as Buffer).length;
        failures = 0;
        yield chunk as Buffer;
      }
      return;
    } catch (error) {
      if (o.signal.aborted || error instanceof SkepError || ++failures > RESUMES) {
        throw bucket.failure(error, `read ${key}`, o.signal);
      }
    } finally {
      body.destroy();
    }
    body = position < end ? await bucket.get(key, { start: position, end }, o.signal) : undefined;
  }
}

export async function readWhole(bucket: S3Bucket, key: string, range?: ByteRange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await readObject(bucket, key, range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

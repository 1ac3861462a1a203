import type { CompletedPart } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import type { Bucket } from './bucket.ts';
import { abortUpload, beginUpload, endUpload, uploadPart, uploadsBelow } from './multipart.ts';

/** Up to this size a key is written by one request. */
const PART = 16 << 20;
const MOST_PARTS = 9_000;

/**
 * Writes a key from a stream of that many bytes, in parts where they are many; overwrites what is there. The key changes when
 * it resolves, and not at all when the stream fails. Uploads of the same key that were begun before are taken for dead.
 */
export async function uploadStream(
  bucket: Bucket,
  key: string,
  content: { size: number; stream: Readable },
  signal: AbortSignal,
): Promise<void> {
  const partSize = Math.max(PART, Math.ceil(content.size / MOST_PARTS));
  const parts = partsOf(content.stream, partSize);
  const first = (await parts.next()).value ?? Buffer.alloc(0);
  if (content.size <= partSize) {
    // To the end: only there the stream tells that what came is not what was wanted.
    const more = await parts.next();
    return bucket.put(key, more.done ? first : Buffer.concat([first, more.value]), signal);
  }
  for await (const dead of uploadsBelow(bucket, key)) if (dead.key === key) await abortUpload(bucket, dead);
  const upload = await beginUpload(bucket, key, { signal });
  const sent: CompletedPart[] = [];
  try {
    sent.push(await uploadPart(bucket, upload, { number: 1, body: first }, signal));
    for await (const body of parts)
      sent.push(await uploadPart(bucket, upload, { number: sent.length + 1, body }, signal));
    await endUpload(bucket, upload, sent, { signal });
  } catch (error) {
    await abortUpload(bucket, upload).catch(() => undefined);
    throw error;
  }
}

async function* partsOf(stream: Readable, size: number): AsyncGenerator<Buffer, undefined> {
  let chunks: Buffer[] = [];
  let held = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= size) {
      const all = Buffer.concat(chunks);
      yield all.subarray(0, size);
      chunks = [all.subarray(size)];
      held -= size;
    }
  }
  if (held > 0) yield Buffer.concat(chunks);
  return undefined;
}

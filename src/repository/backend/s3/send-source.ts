import { type PutObjectCommandInput, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { Buffers } from '../../content/buffers.ts';
import type { ContentSource } from '../backend.ts';

const CHUNK = 256 << 10;
/**
 * A request takes a chunk when it has given the one before to the system, and the stream holds one that it read ahead: of so
 * many buffers the next to be filled is free. Were it not, the storage would refuse the content.
 */
const RING = 4;

const buffers = new Buffers(CHUNK);

/** Puts a file's content as it is. The storage refuses bytes of another SHA-256: the signature covers it. */
export async function sendSource(
  client: S3Client,
  input: Omit<PutObjectCommandInput, 'Body'>,
  source: ContentSource,
  { abortSignal }: { abortSignal?: AbortSignal },
): Promise<void> {
  const { size, sha256 } = source;
  const command = new PutObjectCommand({ ...input, Body: readFrom(source), ContentLength: size });
  command.middlewareStack.add(
    (next) => (args) => {
      // Or the SDK reads the content to its end for its hash, which is known.
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build' },
  );
  const body = command.input.Body as Readable;
  const ending = new AbortController();
  let failure: unknown;
  // The SDK does not look at failures of what it sends, and the storage would wait for the rest.
  body.once('error', (error) => {
    failure = error;
    ending.abort();
  });
  try {
    const signals = abortSignal === undefined ? [ending.signal] : [ending.signal, abortSignal];
    await client.send(command, { abortSignal: AbortSignal.any(signals) });
  } catch (error) {
    throw failure ?? error;
  } finally {
    body.destroy();
  }
}

function readFrom(source: ContentSource): Readable {
  return Readable.from(chunksOf(source), { objectMode: false, highWaterMark: 1 });
}

async function* chunksOf(source: ContentSource): AsyncGenerator<Buffer> {
  const ring = Array.from({ length: RING }, () => buffers.take());
  try {
    for (let [at, next] = [0, 0]; at < source.size; next = (next + 1) % RING) {
      const chunk = (ring[next] as Buffer).subarray(0, source.size - at);
      const n = await source.read(chunk, at);
      // As if the answer had told so: it may be whole again at the next attempt.
      if (n === 0) throw Object.assign(new Error(`${source.path} has become shorter`), { name: 'IncompleteBody' });
      yield chunk.subarray(0, n);
      at += n;
    }
  } finally {
    for (const buffer of ring) buffers.give(buffer);
  }
}

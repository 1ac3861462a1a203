import { createHash, hash } from 'node:crypto';
import type { Staged } from '../backend/backend.ts';
import { type Encoding, encodingsOf, isCompressed } from '../format/names.ts';
import { sealBytes, SealSink } from '../sealing/seal.ts';
import type { Compression, StoredForm } from '../types.ts';
import { compressAnyway, compressor, compressWhole, sampleShrinks } from './compression.ts';
import type { Pace } from './pace.ts';
import { RawSink, type Sink, StageSink, ZstdSink } from './sink.ts';

/** What becomes of a content's bytes: plain values only, so that another thread can do it. */
export interface Encoder {
  compression: Compression;
  /** Whom the content is sealed to; undefined in a repository that is not sealed. */
  recipients: readonly string[] | undefined;
  /** In this encoding, whatever `compression` says. */
  encoding?: Encoding;
}

/** A content in order; a chunk is valid until the next one is asked for. */
export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Called before a chunk is used; throws to end the reading. */
export interface ReadWatch {
  check(): void;
  /** How fast the stored bytes may come. */
  pace?: Pace | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** The stored form of a content in memory. */
export async function encodeWhole(
  content: Uint8Array,
  sha256: string,
  { compression, recipients, encoding: forced }: Encoder,
): Promise<{ bytes: Uint8Array; form: StoredForm }> {
  const compressed =
    forced === undefined ? compressWhole(content, compression) : compressAs(forced, content, compression);
  const [plainEncoding, compressedEncoding] = encodingsOf(recipients !== undefined);
  const encoding = compressed === undefined ? plainEncoding : compressedEncoding;
  const packed = compressed ?? content;
  const bytes = recipients === undefined ? packed : await sealBytes(packed, recipients);
  const storedSha256 = bytes === content ? sha256 : hash('sha256', bytes);
  return { bytes, form: { encoding, storedSize: bytes.length, storedSha256 } };
}

function compressAs(encoding: Encoding, content: Uint8Array, compression: Compression): Buffer | undefined {
  return isCompressed(encoding) ? compressAnyway(content, wayOf(compression)) : undefined;
}

/** What compresses a content that is to be compressed in any case. */
function wayOf(compression: Compression): Exclude<Compression, 'off'> {
  return compression === 'off' ? 'auto' : compression;
}

/** The encoding that `storeContent` takes for a content that begins with these bytes: its first MiB, or all of it. */
export function encodingFor(first: Uint8Array, { compression, recipients, encoding }: Encoder): Encoding {
  if (encoding !== undefined) return encoding;
  const [plain, compressed] = encodingsOf(recipients !== undefined);
  return compression !== 'off' && sampleShrinks(first, compression) ? compressed : plain;
}

/** What was read, in bytes and SHA-256, and what has become of it. */
export interface StoredContent {
  sha256: string;
  size: number;
  form: StoredForm;
}

/** What was read of a content, and the encoding that `storeContent` would take. */
export interface HashedContent {
  sha256: string;
  size: number;
  encoding: Encoding;
}

/** Reads a content to its end, once, and stages its stored form. After a failure `staged` is to be discarded. */
export async function storeContent(
  chunks: Chunks,
  staged: Staged,
  encoder: Encoder,
  watch: ReadWatch,
): Promise<StoredContent> {
  const stored = new StageSink(staged, watch.pace);
  let way: { sink: Sink; encoding: Encoding } | undefined;
  try {
    const read = await hashContent(chunks, watch, async (chunk) => {
      way ??= await sinkFor(chunk, staged, stored, encoder, watch.pace);
      await way.sink.write(chunk);
    });
    way ??= await sinkFor(Buffer.alloc(0), staged, stored, encoder, watch.pace);
    await way.sink.end();
    const { encoding } = way;
    if (encoding !== 'raw') return { ...read, form: { encoding, ...stored.form() } };
    return { ...read, form: { encoding, storedSize: staged.size, storedSha256: read.sha256 } };
  } catch (error) {
    await way?.sink.abandon();
    throw error;
  }
}

/** Reads a content to its end for its hash, and its beginning for its encoding. */
export async function hashForEncoding(chunks: Chunks, encoder: Encoder, watch: ReadWatch): Promise<HashedContent> {
  let encoding: Encoding | undefined;
  const read = await hashContent(chunks, watch, async (chunk) => {
    encoding ??= encodingFor(chunk, encoder);
  });
  return { ...read, encoding: encoding ?? encodingFor(Buffer.alloc(0), encoder) };
}

/** Reads a content once; the caller's use of a chunk goes on while it is hashed and the next one is read. */
export async function hashContent(
  chunks: Chunks,
  watch: ReadWatch,
  use?: (chunk: Uint8Array) => Promise<void>,
): Promise<{ sha256: string; size: number }> {
  const digest = createHash('sha256');
  let total = 0;
  for await (const chunk of chunks) {
    watch.check();
    const using = use?.(chunk);
    digest.update(chunk);
    await using;
    total += chunk.length;
    watch.onBytes?.(chunk.length);
  }
  return { sha256: digest.digest('hex'), size: total };
}

async function sinkFor(
  first: Uint8Array,
  staged: Staged,
  stored: StageSink,
  encoder: Encoder,
  pace: Pace | undefined,
): Promise<{ sink: Sink; encoding: Encoding }> {
  const { compression, recipients } = encoder;
  const encoding = encodingFor(first, encoder);
  if (encoding === 'raw') return { sink: new RawSink(staged, pace), encoding };
  const sealed = recipients === undefined ? stored : await SealSink.begin(recipients, stored);
  return { sink: isCompressed(encoding) ? new ZstdSink(compressor(wayOf(compression)), sealed) : sealed, encoding };
}

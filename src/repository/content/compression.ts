import { constants, createZstdCompress, zstdCompressSync, type ZstdCompress } from 'node:zlib';
import type { Compression } from '../types.ts';

const SAMPLE = 64 << 10;
const LEAST_SAMPLE = 512;

/**
 * For each way to compress: zstd's level, and below which part of the size it is worth the time to decompress. One thread
 * compresses a file, several files are compressed at once: Node's streams end too early when zstd has workers of its own.
 */
const WAYS = { auto: { level: 3, worth: 0.85 }, max: { level: 15, worth: 0.97 } } as const;

/** Whether zstd makes the beginning of a content small enough. */
export function sampleShrinks(content: Uint8Array, compression: Compression): boolean {
  if (compression === 'off') return false;
  const sample = content.subarray(0, SAMPLE);
  return sample.length >= LEAST_SAMPLE && zstdCompressSync(sample).length < sample.length * WAYS[compression].worth;
}

/** A content in memory as one frame; undefined when it is better kept as it is. */
export function compressWhole(content: Uint8Array, compression: Compression): Buffer | undefined {
  if (compression === 'off' || !sampleShrinks(content, compression)) return undefined;
  const bytes = compressAnyway(content, compression);
  return bytes.length < content.length * WAYS[compression].worth ? bytes : undefined;
}

export function compressAnyway(content: Uint8Array, compression: Exclude<Compression, 'off'>): Buffer {
  return zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: WAYS[compression].level } });
}

/** Compresses in the thread pool. */
export function compressor(compression: Exclude<Compression, 'off'>): ZstdCompress {
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: WAYS[compression].level } });
}

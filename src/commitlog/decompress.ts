import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { decompressLz4Raw, decompressSnappy } from 'hyparquet-compressors';
import type { Compression } from './header.ts';

/** Longest plain section that is believed: the length stands in the file without a checksum. */
const MAX_PLAIN = 256 << 20;

/**
 * The plain bytes of a compressed section: exactly `length` of them. Throws a plain Error that says why where the
 * block is not what it should be; the caller knows the place.
 */
export function decompress(compression: Exclude<Compression, 'none'>, block: Buffer, length: number): Buffer {
  if (length < 0 || length > MAX_PLAIN) throw new Error(`plain length ${length} is out of range`);
  // An empty block comes from closing a segment; the decompressors want at least one byte.
  if (length === 0) return Buffer.alloc(0);
  const plain = inflate(compression, block, length);
  if (plain.length !== length) throw new Error(`${plain.length} plain bytes instead of ${length}`);
  return Buffer.from(plain.buffer, plain.byteOffset, plain.length);
}

function inflate(compression: Exclude<Compression, 'none'>, block: Buffer, length: number): Uint8Array {
  switch (compression) {
    case 'lz4': {
      // Cassandra writes the plain length before the block, little-endian.
      const stated = block.readUInt32LE(0);
      if (stated !== length) throw new Error(`the block says ${stated} plain bytes, its section ${length}`);
      return decompressLz4Raw(block.subarray(4), length);
    }
    case 'snappy': {
      const stated = snappyLength(block);
      if (stated !== length) throw new Error(`the block says ${stated} plain bytes, its section ${length}`);
      return decompressSnappy(block, length);
    }
    case 'deflate':
      return inflateSync(block, { maxOutputLength: length });
    case 'zstd':
      return zstdDecompressSync(block, { maxOutputLength: length });
  }
}

function snappyLength(block: Buffer): number {
  let value = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    const byte = block[i]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  return -1;
}

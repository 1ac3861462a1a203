import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { decompressLz4Raw } from 'hyparquet-compressors';
import { snappyUncompressor } from 'hysnappy';
import type { Compression } from './header.ts';

/** Longest plain section that is believed: the length stands in the file without a checksum. */
const MAX_PLAIN = 256 << 20;

/**
 * The plain bytes of a compressed section: exactly `length` of them. Throws a plain Error that says why where the
 * block is not what it should be; the caller knows the place.
 */
export type Decompress = (block: Buffer, length: number) => Buffer;

/** The decompressor for the sections of one segment; it may keep memory of the size of a section. */
export function decompressor(compression: Exclude<Compression, 'none'>): Decompress {
  const inflate = inflater(compression);
  return (block, length) => {
    if (length < 0 || length > MAX_PLAIN) throw new Error(`plain length ${length} is out of range`);
    // An empty section comes from closing a segment; some compressors then write nothing at all.
    if (length === 0 && block.length === 0) return block;
    const plain = inflate(block, length);
    if (plain.length !== length) throw new Error(`${plain.length} plain bytes instead of ${length}`);
    return Buffer.from(plain.buffer, plain.byteOffset, plain.length);
  };
}

function inflater(compression: Exclude<Compression, 'none'>): (block: Buffer, length: number) => Uint8Array {
  switch (compression) {
    case 'lz4':
      return inflateLz4;
    case 'snappy':
      return snappyInflater();
    case 'deflate':
      return (block, length) => wholly(inflateSync(block, optionsFor(length)), block);
    case 'zstd':
      return (block, length) => wholly(zstdDecompressSync(block, optionsFor(length)), block);
  }
}

// One byte of room where none is wanted: a limit of 0 is not allowed.
function optionsFor(length: number): { maxOutputLength: number; info: true } {
  return { maxOutputLength: Math.max(1, length), info: true };
}

/** Node passes over what follows a stream; with `info` it answers how much it took, in a form its types do not know. */
function wholly(answer: unknown, block: Buffer): Buffer {
  const { buffer, engine } = answer as { buffer: Buffer; engine: { bytesWritten: number } };
  if (engine.bytesWritten !== block.length)
    throw new Error(`${block.length - engine.bytesWritten} bytes are left over`);
  return buffer;
}

/** Cassandra writes the plain length before the block, little-endian. An empty block is one byte, a token of nothing. */
function inflateLz4(block: Buffer, length: number): Uint8Array {
  const stated = block.readUInt32LE(0);
  if (stated !== length) throw new Error(`the block says ${stated} plain bytes, its section ${length}`);
  if (length > 0) return decompressLz4Raw(block.subarray(4), length);
  if (block.length !== 5 || block[4] !== 0) throw new Error('the block is not empty, its section is');
  return new Uint8Array(0);
}

/** The library believes the length that the block begins with, so that one must be the section's. */
function snappyInflater(): (block: Buffer, length: number) => Uint8Array {
  const uncompress = snappyUncompressor();
  return (block, length) => {
    const stated = snappyLength(block);
    if (stated !== length) throw new Error(`the block says ${stated} plain bytes, its section ${length}`);
    return uncompress(block, length);
  };
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

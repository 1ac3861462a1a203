import { SkepError } from '../errors.ts';
import { crcOf, crcOfInt } from './checksum.ts';

/** Bytes from which the longest header can be read: fixed parts and 65,535 bytes of JSON. */
export const HEADER_MAX_BYTES = 4 + 8 + 2 + 0xffff + 4;
/** The header of an uncompressed segment. */
export const PLAIN_HEADER_BYTES = 20;
const NAME = /^CommitLog-(\d+)-(\d+)\.log$/;
const COMPRESSORS = {
  LZ4Compressor: 'lz4',
  SnappyCompressor: 'snappy',
  DeflateCompressor: 'deflate',
  ZstdCompressor: 'zstd',
} as const;

/** 7 is written by Cassandra 4.0, 4.1 and 5.0 (its default), 8 by 5.0 with `storage_compatibility_mode: NONE`. */
export type SegmentVersion = 7 | 8;
export type Compression = 'none' | 'lz4' | 'snappy' | 'deflate' | 'zstd';

/** What the first bytes of a segment say. `length` is that of the header itself: the first sync marker follows. */
export interface SegmentHeader {
  version: SegmentVersion;
  id: bigint;
  compression: Compression;
  length: number;
}

/** Version and id out of a file name, or undefined where it is no segment's. The version may be an unsupported one. */
export function parseSegmentName(name: string): { version: number; id: bigint } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { version: Number(match[1]), id: BigInt(match[2]!) };
}

/** The file name that Cassandra expects: its version and id must equal the header's. */
export function segmentName(version: SegmentVersion, id: bigint): string {
  return `CommitLog-${version}-${id}.log`;
}

/**
 * Reads the header from the first bytes of a segment (`HEADER_MAX_BYTES` always suffice). With `name`, the version and
 * the id of the file name must agree. Errors: `segment-unsupported` (version, encryption, unknown compressor),
 * `segment-damaged` (anything else).
 */
export function readHeader(bytes: Uint8Array, name?: string): SegmentHeader {
  const b = asBuffer(bytes);
  if (b.length < 18) throw damaged('segment is shorter than its header', name);
  const version = b.readInt32BE(0);
  const jsonLength = b.readUInt16BE(12);
  const length = 14 + jsonLength + 4;
  const named = name === undefined ? undefined : nameOf(name);
  // A flipped version is damage, not an old format: only where name and header agree is it a version to speak of.
  if (named !== undefined && named.version !== version) {
    throw damaged(`header says version ${version}, the file name says ${named.version}`, name);
  }
  checkVersion(version, name);
  if (b.length < length) throw damaged('segment is shorter than its header', name);
  if (crcOfHeader(b, jsonLength) !== b.readUInt32BE(length - 4)) throw damaged('header checksum does not match', name);
  const id = b.readBigInt64BE(4);
  if (named !== undefined && named.id !== id) {
    throw damaged(`header says id ${id}, the file name says ${named.id}`, name);
  }
  const compression = compressionOf(b.toString('utf8', 14, 14 + jsonLength), name);
  return { version: version as SegmentVersion, id, compression, length };
}

/** The header of an uncompressed segment. */
export function writeHeader(version: SegmentVersion, id: bigint): Buffer {
  const b = Buffer.alloc(PLAIN_HEADER_BYTES);
  b.writeInt32BE(version, 0);
  b.writeBigInt64BE(id, 4);
  b.writeUInt16BE(2, 12);
  b.write('{}', 14, 'latin1');
  b.writeUInt32BE(crcOfHeader(b, 2), 16);
  return b;
}

/** Puts another id into the header that `bytes` begin with. */
export function stampHeader(bytes: Buffer, id: bigint): void {
  const jsonLength = bytes.readUInt16BE(12);
  bytes.writeBigInt64BE(id, 4);
  bytes.writeUInt32BE(crcOfHeader(bytes, jsonLength), 14 + jsonLength);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `segment-damaged` with the place in its context. */
export function damaged(message: string, segment: string | undefined, at?: number, cause?: unknown): SkepError {
  const where = segment === undefined ? '' : ` (${segment}${at === undefined ? '' : ` at ${at}`})`;
  return new SkepError('segment-damaged', message + where, {
    context: { ...(segment === undefined ? {} : { segment }), ...(at === undefined ? {} : { position: at }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

// The length of the JSON is two bytes in the file but four in the checksum, and the id's halves are swapped in it.
function crcOfHeader(b: Buffer, jsonLength: number): number {
  let crc = crcOfInt(b.readInt32BE(0));
  crc = crcOfInt(b.readInt32BE(8), crc);
  crc = crcOfInt(b.readInt32BE(4), crc);
  crc = crcOfInt(jsonLength, crc);
  return crcOf(b.subarray(14, 14 + jsonLength), crc);
}

function nameOf(name: string): { version: number; id: bigint } {
  const named = parseSegmentName(name);
  if (named === undefined) throw damaged('not the name of a commit log segment', name);
  checkVersion(named.version, name);
  return named;
}

function checkVersion(version: number, name: string | undefined): void {
  if (version === 7 || version === 8) return;
  throw unsupported(`commit log format ${version} is not supported`, name);
}

function compressionOf(json: string, name: string | undefined): Compression {
  let parameters: unknown;
  try {
    parameters = JSON.parse(json);
  } catch (cause) {
    throw damaged('header is not JSON', name, 14, cause);
  }
  if (typeof parameters !== 'object' || parameters === null) throw damaged('header is no JSON object', name);
  for (const key of Object.keys(parameters)) {
    if (key.startsWith('enc')) throw unsupported('the segment is encrypted', name);
    // What an unknown key would mean for the bytes that follow cannot be known.
    if (key !== 'compressionClass' && key !== 'compressionParameters') throw unsupported(`header key ${key}`, name);
  }
  const { compressionClass: className = null } = parameters as { compressionClass?: unknown };
  if (className === null) return 'none';
  if (typeof className !== 'string') throw damaged('header names no compressor', name);
  const short = className.replace('org.apache.cassandra.io.compress.', '');
  if (Object.hasOwn(COMPRESSORS, short)) return COMPRESSORS[short as keyof typeof COMPRESSORS];
  throw unsupported(`the segment is compressed with ${className}`, name);
}

function unsupported(message: string, segment: string | undefined): SkepError {
  if (segment === undefined) return new SkepError('segment-unsupported', message);
  return new SkepError('segment-unsupported', `${message} (${segment})`, { context: { segment } });
}

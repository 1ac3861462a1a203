import { crcOf, crcOfInt } from './checksum.ts';

/** Around the body of an entry: its size, the size's CRC before it, the CRC of both behind it. */
export const ENTRY_OVERHEAD = 12;
/** Cassandra refuses anything shorter: a guard against zeroes and garbage whose checksum happens to fit. */
const MIN_BODY = 10;

/**
 * The end of the entry that begins at `start` of `bytes` and lies before `end`, with both CRCs checked; -1 where there
 * is no whole, valid entry.
 */
export function entryEnd(bytes: Buffer, start: number, end: number): number {
  if (end - start < ENTRY_OVERHEAD + MIN_BODY) return -1;
  const size = bytes.readInt32BE(start);
  if (size < MIN_BODY || size > end - start - ENTRY_OVERHEAD) return -1;
  const crc = crcOfInt(size);
  if (crc !== bytes.readUInt32BE(start + 4)) return -1;
  const bodyEnd = start + 8 + size;
  if (crcOf(bytes.subarray(start + 8, bodyEnd), crc) !== bytes.readUInt32BE(bodyEnd)) return -1;
  return bodyEnd + 4;
}

/** An entry with both CRCs around the parts of a body. */
export function makeEntry(parts: readonly Uint8Array[]): Buffer {
  const size = parts.reduce((sum, p) => sum + p.length, 0);
  const entry = Buffer.allocUnsafe(size + ENTRY_OVERHEAD);
  const crc = crcOfInt(size);
  entry.writeInt32BE(size, 0);
  entry.writeUInt32BE(crc, 4);
  let at = 8;
  for (const part of parts) {
    entry.set(part, at);
    at += part.length;
  }
  entry.writeUInt32BE(crcOf(entry.subarray(8, at), crc), at);
  return entry;
}

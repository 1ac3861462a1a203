import { crcOfMarker } from './checksum.ts';

/** A sync marker begins a section: where the next marker is, and a CRC of segment id and own position. */
export const MARKER_SIZE = 8;

/** `next`: where the following marker is. `zero`: nothing written. `torn`: half of it. `bad`: something else. */
export type Marker = { kind: 'next'; at: number } | { kind: 'zero' | 'torn' | 'bad' };

/** Reads the marker at `position`. Its CRC does not cover the place that it names: the caller must doubt it. */
export function readMarker(bytes: Buffer, position: number, id: bigint): Marker {
  const at = bytes.readInt32BE(position);
  const crc = bytes.readUInt32BE(position + 4);
  if (at === 0 && crc === 0) return { kind: 'zero' };
  if (at !== 0 && crc === crcOfMarker(id, position)) return { kind: 'next', at };
  // The two halves are written one after the other: a copy of a live segment may have caught only one.
  return { kind: at === 0 || crc === 0 ? 'torn' : 'bad' };
}

export function writeMarker(bytes: Buffer, position: number, id: bigint, next: number): void {
  bytes.writeInt32BE(next, position);
  bytes.writeUInt32BE(crcOfMarker(id, position), position + 4);
}

/**
 * The first place in `from` … `to` where a valid marker stands that leads forward, or -1. Where a marker was lost or
 * leads too far, this finds what would be passed over in silence.
 */
export function findMarker(bytes: Buffer, from: number, to: number, id: bigint): number {
  const size = bytes.length;
  const highest = size >>> 24;
  const last = Math.min(to, size) - MARKER_SIZE;
  for (let p = from; p <= last; p++) {
    if (bytes[p]! > highest) continue;
    const next = bytes.readInt32BE(p);
    if (next < p + MARKER_SIZE || next > size) continue;
    if (bytes.readUInt32BE(p + 4) === crcOfMarker(id, p)) return p;
  }
  return -1;
}

/** Whether there are only zeroes from `from` on. */
export function zeroFrom(bytes: Buffer, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

import { SkepError } from '../errors.ts';
import { asBuffer } from './header.ts';

/** Where a node's log stood when a table was truncated: entries that end there or before must not come back. */
export interface Truncation {
  /** -1 where the node had no position for it. */
  segmentId: bigint;
  position: number;
  /** Milliseconds by the node's clock; undefined in records without one. */
  atMs: number | undefined;
}

/**
 * One value of the map `truncated_at` in `system.local`: 8 bytes segment id, 4 bytes position, 8 bytes milliseconds.
 * Error: `segment-damaged` for any other length.
 */
export function parseTruncation(blob: Uint8Array): Truncation {
  const b = asBuffer(blob);
  if (b.length !== 12 && b.length !== 20) {
    throw new SkepError('segment-damaged', `a truncation record of ${b.length} bytes`, {
      hint: 'Read `truncated_at` of `system.local` on that node by hand; this Cassandra may be too new for skep.',
    });
  }
  return {
    segmentId: b.readBigInt64BE(0),
    position: b.readInt32BE(8),
    atMs: b.length === 20 ? Number(b.readBigInt64BE(12)) : undefined,
  };
}

/** Whether an entry that ends at `position` of segment `id` was wiped by the truncation. */
export function isTruncated(truncation: Truncation, id: bigint, position: number): boolean {
  if (id !== truncation.segmentId) return id < truncation.segmentId;
  return position <= truncation.position;
}

import {
  decodeMutation,
  readSegment,
  TableIndex,
  type Tail,
  type TableSchema,
} from '../../../../src/commitlog/index.ts';

/** A named segment, in the order of the ids. */
export interface NamedSegment {
  name: string;
  bytes: Uint8Array;
}

/**
 * What skep reads in segments, in the oracle's words: segment, position, size, table:key of every update, newest
 * timestamp.
 */
export function describeSegments(
  segments: readonly NamedSegment[],
  schema: ReadonlyMap<string, TableSchema>,
  tail: Tail = 'live',
): string[] {
  const index = new TableIndex(schema);
  const lines: string[] = [];
  for (const { name, bytes } of segments) {
    for (const entry of readSegment(name, bytes, tail)) {
      const start = entry.start + 8;
      const end = entry.end - 4;
      const mutation = decodeMutation(entry.bytes, start, end, (b, at) => index.find(b, at));
      const updates = mutation.updates.map((u) => `${u.table.id}:${entry.bytes.toString('hex', u.keyStart, u.keyEnd)}`);
      lines.push(`${name} ${entry.position} ${end - start} ${updates.join(',')} ${String(mutation.newest ?? 'none')}`);
    }
  }
  return lines;
}

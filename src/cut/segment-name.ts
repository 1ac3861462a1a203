import { parseSegmentName } from '../commitlog/index.ts';

/** A commit log segment in its folder. */
export interface SegmentFile {
  name: string;
  id: bigint;
}

/** The segments among the names of a folder, oldest first. */
export function segmentsOf(names: readonly string[]): SegmentFile[] {
  return names
    .flatMap((name) => {
      const id = parseSegmentName(name)?.id;
      return id === undefined ? [] : [{ name, id }];
    })
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/**
 * The oldest segment that can still be written to. Cassandra keeps one segment in use and prepares at most one more
 * ahead, so it is the newest or the one before; the one before is taken, for the prepared one may not be there yet.
 */
export function firstToPin(segments: readonly SegmentFile[]): SegmentFile | undefined {
  return segments.at(-2) ?? segments.at(-1);
}

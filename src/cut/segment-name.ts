/** A commit log segment's file name, as Cassandra writes it. */
export interface SegmentName {
  name: string;
  format: number;
  id: bigint;
}

/** `CommitLog-<format>-<id>.log` taken apart; undefined for any other name. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const m = /^CommitLog-(\d+)-(\d+)\.log$/.exec(name);
  return m ? { name, format: Number(m[1]), id: BigInt(m[2] as string) } : undefined;
}

/** The segments among the names of a folder, oldest first. */
export function segmentsOf(names: readonly string[]): SegmentName[] {
  return names
    .map(parseSegmentName)
    .filter((s) => s !== undefined)
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/**
 * The oldest segment that can still be written to. Cassandra keeps one segment in use and prepares at most one more
 * ahead, so it is the newest or the one before; the one before is taken, for the prepared one may not be there yet.
 */
export function firstToPin(segments: readonly SegmentName[]): SegmentName | undefined {
  return segments.at(-2) ?? segments.at(-1);
}

/*
 * How much room a backup may take, estimated from the sizes of data. Generous, since a full disk stops a database;
 * not so generous that a healthy cluster is refused.
 */

const MIB = 1024 * 1024;

/** A snapshot costs nothing when it is made; it keeps what compactions replace until the copy is done. */
export function snapshotNeed(dataBytes: number): number {
  return 256 * MIB + Math.ceil(dataBytes / 4);
}

/** Segments are kept that Cassandra would have deleted: a few times of what it holds at once. */
export function pinNeed(commitlogBytes: number): number {
  return 64 * MIB + 4 * commitlogBytes;
}

/** Staging holds the newest snapshot, and for a while the one before. */
export function stagingNeed(indexBytes: number): number {
  return 64 * MIB + Math.ceil(indexBytes * 1.5);
}

/** The first backup brings everything; a later one what compaction has rewritten and what is new. */
export function repositoryNeed(allBytes: number, first: boolean): number {
  return 64 * MIB + (first ? allBytes : Math.ceil(allBytes / 4));
}

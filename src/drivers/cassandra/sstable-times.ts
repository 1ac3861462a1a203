import { readFile } from 'node:fs/promises';
import { SkepError } from '../../errors.ts';
import type { NewestWrite } from '../../protocol/methods.ts';
import type { SnapshotFile } from './snapshot-files.ts';

const SUFFIX = '-Statistics.db';
/** Ordinal of the component that holds the statistics. */
const STATS = 2;
/** What an SSTable without any timestamp has as its newest. */
const UNSET = new Set([2n ** 63n - 1n, -(2n ** 63n)]);

/**
 * The newest write in the SSTables among the files of a snapshot; undefined when they hold none.
 * Errors: `snapshot-failed` when a Statistics.db cannot be read.
 */
export async function newestWrite(files: readonly SnapshotFile[]): Promise<NewestWrite | undefined> {
  let newest: { us: bigint; file: string } | undefined;
  for (const f of files) {
    if (!f.path.endsWith(SUFFIX)) continue;
    const us = newestTimestamp(f.path, await readFile(f.absolute));
    if (us !== undefined && (newest === undefined || us > newest.us)) newest = { us, file: f.path };
  }
  return newest && { us: String(newest.us), file: newest.file };
}

/**
 * The newest timestamp (µs) that a Statistics.db tells of its SSTable. Big-endian: a count, then type and position of each
 * component, from format `na` on each of the two with a checksum; the statistics begin with two histograms (a count, then 16
 * bytes a bucket) and a commit log position (12 bytes), then the oldest and the newest timestamp.
 * Source: `MetadataSerializer` and `StatsMetadata` of Cassandra 3.11 to 5.0.
 */
export function newestTimestamp(path: string, content: Buffer): bigint | undefined {
  const format = /(?:^|\/)([a-z]{2})-/.exec(path.slice(path.lastIndexOf('/') + 1))?.[1] ?? '';
  try {
    let at = positionOf(STATS, content, format >= 'na');
    for (let histogram = 0; histogram < 2; histogram++) at += 4 + content.readUInt32BE(at) * 16;
    const newest = content.readBigInt64BE(at + 12 + 8);
    return UNSET.has(newest) ? undefined : newest;
  } catch (cause) {
    throw new SkepError('snapshot-failed', `${path} cannot be read`, { context: { file: path }, cause });
  }
}

function positionOf(type: number, content: Buffer, checksums: boolean): number {
  const first = checksums ? 8 : 4;
  const components = content.readUInt32BE(0);
  for (let i = 0; i < components; i++) {
    if (content.readUInt32BE(first + i * 8) === type) return content.readUInt32BE(first + i * 8 + 4);
  }
  throw new RangeError('it has no statistics');
}

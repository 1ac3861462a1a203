import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type FilterRules, keepReplay, type PinnedBytes, readPinned } from '../cut/segment-evidence.ts';
import { SkepError } from '../errors.ts';
import type { PinnedSegment, SegmentEvidence } from '../protocol/methods.ts';
import { type FileEntry, fileEntry, type ObjectWriter } from '../repository/index.ts';

/**
 * Stores pinned segments, and beside them what a replay needs of them. Cassandra may still be writing to one: what is
 * judged is what was read once and stored, not the file. Nothing is read back, since a node cannot read a sealed
 * repository. Errors: those of the commit log reader and of the writer.
 */
export async function storeSegments(
  pinned: { folder: string; segments: readonly PinnedSegment[] },
  rules: FilterRules,
  writer: ObjectWriter,
  signal: AbortSignal,
): Promise<{ entries: FileEntry[]; evidence: SegmentEvidence }> {
  /** By name: a segment that is read again is stored again, the last one counts. */
  const stored = new Map<string, FileEntry>();
  const segments = pinned.segments.map(({ name, bytes }) => ({
    name,
    bytes,
    open: () => openFile(join(pinned.folder, name), bytes),
    taken: async (content: Buffer) => {
      stored.set(name, fileEntry(`commitlog/${name}`, await writer.putBytes(content)));
    },
  }));
  const replay: FileEntry[] = [];
  let found = 0;
  const keep = async ({ name, bytes }: { name: string; bytes: Buffer }) => {
    replay.push(fileEntry(`replay/${name}`, await writer.putBytes(bytes)));
    found += await mutationsOf({ name, bytes }, rules, signal);
  };
  const evidence = await keepReplay(segments, rules, keep, signal);
  if (found !== evidence.kept) {
    throw new SkepError('segment-damaged', `of ${evidence.kept} mutations that a replay needs, ${found} were stored`);
  }
  return { entries: [...stored.values(), ...replay], evidence };
}

/** The mutations of a segment for a replay; they must all belong to the cut. */
async function mutationsOf(
  { name, bytes }: { name: string; bytes: Buffer },
  rules: FilterRules,
  signal: AbortSignal,
): Promise<number> {
  const segment: PinnedBytes = { name, bytes: bytes.length, open: async () => Readable.from([bytes]) };
  const { read, kept, unsynced } = await readPinned([segment], rules, signal);
  if (read === kept && unsynced === 0) return kept;
  throw new SkepError('segment-damaged', `${name} was written with mutations that are not of the cut`, {
    context: { read, kept, unsynced },
  });
}

/** Not more than the size that it had when it was looked at: it may grow meanwhile. */
async function openFile(path: string, bytes: number): Promise<Readable> {
  if (bytes === 0) return Readable.from([]);
  try {
    return (await open(path)).createReadStream({ end: bytes - 1, highWaterMark: 1 << 20 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new SkepError('file-unreadable', `cannot read the pinned segment ${path}: ${code}`, { cause });
  }
}

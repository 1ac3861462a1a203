import { decompressor } from './decompress.ts';
import { entryEnd } from './entry.ts';
import { asBuffer, damaged, readHeader, type SegmentHeader } from './header.ts';
import { findMarker, MARKER_SIZE, readMarker, zeroFrom } from './marker.ts';

/**
 * How the end of a segment is judged. `closed`: Cassandra had finished it, so every byte must be accounted for.
 * `live`: it was copied while Cassandra might still write to it, so it may be cut off, and entries may stand behind
 * the last sync marker.
 */
export type Tail = 'closed' | 'live';

/** One mutation as it lies in the log. The views are into the segment (or a plain section): copy what is kept. */
export interface SegmentEntry {
  /** The memory that holds the entry, from `start` (its size) to `end` (behind its last CRC). */
  bytes: Buffer;
  start: number;
  end: number;
  /** Where it ends by Cassandra's own count (`CommitLogPosition`): in compressed segments that is not a file offset. */
  position: number;
  /** False for an entry behind the last sync marker of a live copy: it is whole, but what follows it may be missing. */
  synced: boolean;
}

/**
 * Every entry of a segment, in order, all CRCs checked. Holds nothing but the segment and one plain section.
 * Errors: `segment-unsupported`, `segment-damaged`. A generator that ends without an error has passed over nothing
 * except what may be missing from the tail of a live copy.
 */
export function* readSegment(name: string, bytes: Uint8Array, tail: Tail): Generator<SegmentEntry, void, undefined> {
  const b = asBuffer(bytes);
  if (tail === 'live' && isBlank(b)) return;
  const header = readHeader(b, name);
  if (header.compression === 'none') yield* readPlain(name, b, header, tail);
  else yield* readCompressed(name, b, header, tail);
}

/** Whether nothing but, at most, a header was written: Cassandra keeps one such segment ready ahead of use. */
export function isUnused(name: string, bytes: Uint8Array): boolean {
  const b = asBuffer(bytes);
  if (isBlank(b)) return true;
  return zeroFrom(b, readHeader(b, name).length);
}

function isBlank(b: Buffer): boolean {
  return zeroFrom(b, 0);
}

function* readPlain(
  name: string,
  b: Buffer,
  header: SegmentHeader,
  tail: Tail,
): Generator<SegmentEntry, void, undefined> {
  let at = header.length;
  while (b.length - at >= MARKER_SIZE) {
    const marker = readMarker(b, at, header.id);
    const start = at + MARKER_SIZE;
    if (marker.kind === 'next' && marker.at < start) throw damaged('sync marker leads backwards', name, at);
    if (marker.kind === 'next' && marker.at <= b.length) {
      yield* readSection(name, b, start, marker.at, 0);
      at = marker.at;
      continue;
    }
    if (marker.kind === 'bad') throw damaged('bad sync marker', name, at);
    if (marker.kind === 'zero' && zeroFrom(b, start)) return;
    if (tail === 'closed') throw damaged('data behind the last sync marker of a closed segment', name, at);
    const resumed = yield* readUnsynced(name, b, start, header.id);
    if (resumed === undefined) return;
    at = resumed;
  }
  if (tail === 'closed' && !zeroFrom(b, at)) throw damaged('data behind the last sync marker', name, at);
}

/** A section must consist of valid entries and nothing else: a gap would hide what comes behind it. */
function* readSection(
  name: string,
  b: Buffer,
  start: number,
  end: number,
  shift: number,
): Generator<SegmentEntry, void, undefined> {
  let at = start;
  while (at < end) {
    const next = entryEnd(b, at, end);
    if (next < 0) throw damaged('no valid entry', name, at + shift);
    yield { bytes: b, start: at, end: next, position: next + shift, synced: true };
    at = next;
  }
}

/**
 * Entries behind the last marker of a live copy. If a valid marker follows them after all, the one before them was
 * lost, or copied before it was written: they are a section like any other, and the marker's place is returned.
 */
function* readUnsynced(
  name: string,
  b: Buffer,
  start: number,
  id: bigint,
): Generator<SegmentEntry, number | undefined, undefined> {
  const ends: number[] = [start];
  const marker = findMarker(b, start, b.length, id);
  const limit = marker < 0 ? b.length : marker;
  for (let at = entryEnd(b, start, limit); at >= 0; at = entryEnd(b, at, limit)) ends.push(at);
  const reached = ends.at(-1)!;
  if (marker >= 0 && reached !== marker) throw damaged('a sync marker was lost, and entries with it', name, reached);
  for (let i = 1; i < ends.length; i++) {
    yield { bytes: b, start: ends[i - 1]!, end: ends[i]!, position: ends[i]!, synced: marker >= 0 };
  }
  return marker < 0 ? undefined : marker;
}

function* readCompressed(
  name: string,
  b: Buffer,
  header: SegmentHeader,
  tail: Tail,
): Generator<SegmentEntry, void, undefined> {
  if (header.compression === 'none') return;
  const decompress = decompressor(header.compression);
  let at = header.length;
  let logical = header.length;
  while (at < b.length) {
    const start = at + MARKER_SIZE + 4;
    // Sections are appended whole and never altered: only the file's end can be missing from a live copy.
    if (b.length < start) return tailOf(name, tail, at);
    const marker = readMarker(b, at, header.id);
    if (marker.kind !== 'next') {
      if (tail === 'live' && zeroFrom(b, at)) return;
      throw damaged('bad sync marker', name, at);
    }
    if (marker.at < start) throw damaged('sync marker leads backwards', name, at);
    const end = Math.min(marker.at, b.length);
    // The CRC of a marker does not cover where it leads: if it leads past another one, sections would be lost.
    if (findMarker(b, start, end, header.id) >= 0) throw damaged('sync marker leads past the next one', name, at);
    if (marker.at > b.length) return tailOf(name, tail, at);
    const length = b.readInt32BE(at + MARKER_SIZE);
    let plain: Buffer;
    try {
      plain = decompress(b.subarray(start, end), length);
    } catch (cause) {
      throw damaged('section cannot be decompressed', name, at, cause);
    }
    logical += MARKER_SIZE;
    yield* readSection(name, plain, 0, length, logical);
    logical += length;
    at = end;
  }
}

function tailOf(name: string, tail: Tail, at: number): void {
  if (tail === 'closed') throw damaged('closed segment is cut off', name, at);
}

import { SkepError } from '../errors.ts';
import {
  asBuffer,
  damaged,
  PLAIN_HEADER_BYTES,
  readHeader,
  segmentName,
  stampHeader,
  writeHeader,
  type SegmentVersion,
} from './header.ts';
import { MARKER_SIZE, readMarker, writeMarker } from './marker.ts';

/** A segment that Cassandra replays at its next plain start, under the name that it must have. */
export interface NewSegment {
  name: string;
  id: bigint;
  bytes: Buffer;
}

export interface SegmentOutput {
  /** A fresh id: above every id that the node has known, and rising. */
  nextId(): bigint;
  /** Most bytes a segment may have, unless a single entry has more. */
  segmentSize: number;
  /** Takes a finished segment. Its bytes are the taker's only until the promise settles: then they are written over. */
  write(segment: NewSegment): Promise<void> | void;
}

const FIRST_ENTRY_AT = PLAIN_HEADER_BYTES + MARKER_SIZE;
const FIRST_CAPACITY = 64 << 10;

/**
 * Puts entries, as they are, into new uncompressed segments of one section each. Before `add`, ask whether the entry
 * `fits`, and `flush` where it does not; at the end `flush` what is left. One buffer serves all segments.
 */
export class SegmentWriter {
  readonly #output: SegmentOutput;
  #version: SegmentVersion = 7;
  #buffer = Buffer.alloc(0);
  #size = FIRST_ENTRY_AT;

  constructor(output: SegmentOutput) {
    this.#output = output;
  }

  /** Whether the segment that is being filled can take it: entries of format 7 and 8 never share one. */
  fits(version: SegmentVersion, length: number): boolean {
    if (this.#size === FIRST_ENTRY_AT) return true;
    return this.#version === version && this.#size + length <= this.#output.segmentSize;
  }

  /** Copies the entry. One that is larger than a segment should be has a segment to itself: Cassandra reads it so too. */
  add(version: SegmentVersion, entry: Uint8Array): void {
    if (!this.fits(version, entry.length))
      throw new SkepError('internal', 'a segment was not flushed when it was full');
    this.#version = version;
    this.#reserve(entry.length);
    this.#buffer.set(entry, this.#size);
    this.#size += entry.length;
  }

  /** Hands the segment over, if there is anything in it. */
  async flush(): Promise<void> {
    if (this.#size === FIRST_ENTRY_AT) return;
    const id = this.#output.nextId();
    const bytes = this.#buffer.subarray(0, this.#size);
    writeHeader(this.#version, id).copy(bytes);
    writeMarker(bytes, PLAIN_HEADER_BYTES, id, bytes.length);
    await this.#output.write({ name: segmentName(this.#version, id), id, bytes });
    this.#size = FIRST_ENTRY_AT;
  }

  #reserve(length: number): void {
    const needed = this.#size + length;
    if (needed <= this.#buffer.length) return;
    const capacity = Math.max(needed, FIRST_CAPACITY, this.#buffer.length * 2);
    const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(capacity, this.#output.segmentSize)));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }
}

/**
 * The same segment, compressed or not, under another id: header and sync markers are made anew, entries hold no id.
 * Errors: as `readHeader`; `segment-damaged` where the chain of markers breaks before the last one.
 */
export function rewriteId(name: string, bytes: Uint8Array, id: bigint): NewSegment {
  const header = readHeader(bytes, name);
  const copy = Buffer.from(asBuffer(bytes));
  stampHeader(copy, id);
  for (let at = header.length; copy.length - at >= MARKER_SIZE;) {
    const marker = readMarker(copy, at, header.id);
    if (marker.kind === 'zero') break;
    if (marker.kind !== 'next' || marker.at < at + MARKER_SIZE || marker.at > copy.length) {
      throw damaged('bad sync marker', name, at);
    }
    writeMarker(copy, at, id, marker.at);
    at = marker.at;
  }
  return { name: segmentName(header.version, id), id, bytes: copy };
}

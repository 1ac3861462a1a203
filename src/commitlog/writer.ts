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
  /** Most bytes a segment may have. */
  segmentSize: number;
  /** Takes a finished segment; the bytes are the taker's. */
  write(segment: NewSegment): Promise<void> | void;
}

const FIRST_ENTRY_AT = PLAIN_HEADER_BYTES + MARKER_SIZE;
const FIRST_CAPACITY = 64 << 10;

/**
 * Puts entries, as they are, into new uncompressed segments of one section each. `add` gathers, `drain` hands over
 * what is full, `finish` the rest: so only `drain` and `finish` wait.
 */
export class SegmentWriter {
  readonly #output: SegmentOutput;
  #version: SegmentVersion = 7;
  #buffer = Buffer.alloc(0);
  #size = FIRST_ENTRY_AT;
  #full: { version: SegmentVersion; bytes: Buffer }[] = [];

  constructor(output: SegmentOutput) {
    this.#output = output;
  }

  /** Entries of format 7 and 8 never share a segment. The bytes are copied. Error: `segment-unsupported` (too big). */
  add(version: SegmentVersion, entry: Uint8Array): void {
    if (FIRST_ENTRY_AT + entry.length > this.#output.segmentSize) {
      throw new SkepError('segment-unsupported', `an entry of ${entry.length} bytes does not fit into a segment`, {
        hint: 'Give new segments at least the size of `commitlog_segment_size` on the node that wrote the log.',
      });
    }
    if (this.#version !== version || this.#size + entry.length > this.#output.segmentSize) this.#close();
    this.#version = version;
    this.#reserve(entry.length);
    this.#buffer.set(entry, this.#size);
    this.#size += entry.length;
  }

  /** Hands over the segments that are full. */
  async drain(): Promise<void> {
    for (const { version, bytes } of this.#full.splice(0)) {
      const id = this.#output.nextId();
      writeHeader(version, id).copy(bytes);
      writeMarker(bytes, PLAIN_HEADER_BYTES, id, bytes.length);
      await this.#output.write({ name: segmentName(version, id), id, bytes });
    }
  }

  /** Hands over everything. A writer that was given nothing writes nothing. */
  async finish(): Promise<void> {
    this.#close();
    await this.drain();
  }

  #reserve(length: number): void {
    const needed = this.#size + length;
    if (needed <= this.#buffer.length) return;
    const capacity = Math.max(needed, FIRST_CAPACITY, this.#buffer.length * 2);
    const larger = Buffer.allocUnsafe(Math.min(capacity, this.#output.segmentSize));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }

  #close(): void {
    if (this.#size > FIRST_ENTRY_AT) {
      this.#full.push({ version: this.#version, bytes: this.#buffer.subarray(0, this.#size) });
    }
    this.#buffer = Buffer.alloc(0);
    this.#size = FIRST_ENTRY_AT;
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

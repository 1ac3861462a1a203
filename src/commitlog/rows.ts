import { Undecodable, type ByteReader } from './byte-reader.ts';
import { skipClustering, skipValue } from './clustering.ts';
import { readSubset } from './column-set.ts';
import type { ValueShape } from './cql-type.ts';
import type { NewestTimestamp, TimestampHeader, TimestampParts } from './timestamps.ts';

const END_OF_PARTITION = 0x01;
const IS_MARKER = 0x02;
const HAS_TIMESTAMP = 0x04;
const HAS_TTL = 0x08;
const HAS_DELETION = 0x10;
const HAS_ALL_COLUMNS = 0x20;
const HAS_COMPLEX_DELETION = 0x40;
const EXTENSION = 0x80;
const EXTENDED_STATIC = 0x01;

const CELL_DELETED = 0x01;
const CELL_EXPIRING = 0x02;
const CELL_EMPTY = 0x04;
const CELL_ROW_TIMESTAMP = 0x08;
const CELL_ROW_TTL = 0x10;

/** Kinds of range bounds by their ordinal: those that end one range and begin another carry two deletion times. */
const BOUNDARIES = new Set([2, 5]);
const BOUNDS = new Set([0, 1, 6, 7]);

/** One update that is being walked over: where it is, how to read it, and what was found. */
export interface RowContext {
  reader: ByteReader;
  header: TimestampHeader;
  clustering: readonly number[];
  parts: Readonly<TimestampParts>;
  newest: NewestTimestamp;
}

/** Walks over the rows and range deletions up to the end of the partition. */
export function walkRows(c: RowContext, columns: readonly ValueShape[]): void {
  const { reader } = c;
  for (;;) {
    const flags = reader.byte();
    if ((flags & END_OF_PARTITION) !== 0) return;
    const extended = (flags & EXTENSION) === 0 ? 0 : reader.byte();
    if ((flags & IS_MARKER) !== 0) {
      walkMarker(c);
      continue;
    }
    if ((extended & EXTENDED_STATIC) !== 0) throw new Undecodable('a static row among the others');
    skipClustering(reader, c.clustering, c.clustering.length);
    walkRowBody(c, flags, columns);
  }
}

/** Walks over the static row, which comes before the others and has no clustering. */
export function walkStaticRow(c: RowContext, columns: readonly ValueShape[]): void {
  const flags = c.reader.byte();
  if ((flags & END_OF_PARTITION) !== 0 || (flags & IS_MARKER) !== 0 || (flags & EXTENSION) === 0) {
    throw new Undecodable('no static row where one was announced');
  }
  if ((c.reader.byte() & EXTENDED_STATIC) === 0) throw new Undecodable('a plain row in place of the static one');
  walkRowBody(c, flags, columns);
}

/** A deletion time: its timestamp counts where `counts`; the local time, in seconds, says nothing here. */
export function readDeletion(c: RowContext, counts: boolean): void {
  const timestamp = c.header.read(c.reader);
  c.reader.skipVint();
  if (counts) c.newest.add(timestamp, c.header);
}

function walkMarker(c: RowContext): void {
  const kind = c.reader.byte();
  const boundary = BOUNDARIES.has(kind);
  if (!boundary && !BOUNDS.has(kind)) throw new Undecodable(`range bound of kind ${kind}`);
  skipClustering(c.reader, c.clustering, c.reader.unsignedShort());
  readDeletion(c, c.parts.rangeDeletions);
  if (boundary) readDeletion(c, c.parts.rangeDeletions);
}

function walkRowBody(c: RowContext, flags: number, columns: readonly ValueShape[]): void {
  const { reader, parts } = c;
  const hasTimestamp = (flags & HAS_TIMESTAMP) !== 0;
  let rowTimestamp = -Infinity;
  let rowBeyond = 0n;
  if (hasTimestamp) {
    rowTimestamp = c.header.read(reader);
    rowBeyond = c.header.beyond;
    if (parts.liveness) c.newest.add(rowTimestamp, c.header);
    if ((flags & HAS_TTL) !== 0) {
      reader.skipVint();
      reader.skipVint();
    }
  }
  if ((flags & HAS_DELETION) !== 0) readDeletion(c, parts.rowDeletions);
  const present = (flags & HAS_ALL_COLUMNS) === 0 ? readSubset(reader, columns) : columns;
  const hasComplexDeletion = (flags & HAS_COMPLEX_DELETION) !== 0;
  let usesRowTimestamp = false;
  for (let i = 0; i < present.length; i++) {
    const shape = present[i]!;
    if (shape.complex) {
      if (hasComplexDeletion) readDeletion(c, parts.complexDeletions);
      for (let n = reader.length(); n > 0; n--) usesRowTimestamp = walkCell(c, -1, true) || usesRowTimestamp;
    } else {
      usesRowTimestamp = walkCell(c, shape.fixed, false) || usesRowTimestamp;
    }
  }
  if (!usesRowTimestamp) return;
  if (!hasTimestamp) throw new Undecodable('a cell has the timestamp of a row that has none');
  c.header.beyond = rowBeyond;
  if (parts.cells) c.newest.add(rowTimestamp, c.header);
}

/** Answers whether the cell has its row's timestamp. A cell of a collection has a path, and always a length. */
function walkCell(c: RowContext, fixed: number, hasPath: boolean): boolean {
  const { reader } = c;
  const flags = reader.byte();
  const usesRowTimestamp = (flags & CELL_ROW_TIMESTAMP) !== 0;
  if (!usesRowTimestamp) {
    const timestamp = c.header.read(reader);
    if (c.parts.cells) c.newest.add(timestamp, c.header);
  }
  if ((flags & CELL_ROW_TTL) === 0) {
    if ((flags & (CELL_DELETED | CELL_EXPIRING)) !== 0) reader.skipVint();
    if ((flags & CELL_EXPIRING) !== 0) reader.skipVint();
  }
  if (hasPath) reader.skipWithLength();
  if ((flags & CELL_EMPTY) === 0) skipValue(reader, fixed);
  return usesRowTimestamp;
}

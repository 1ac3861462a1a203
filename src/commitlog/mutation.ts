import { ByteReader, Undecodable } from './byte-reader.ts';
import { readColumns } from './column-set.ts';
import { readDeletion, walkRows, walkStaticRow, type RowContext } from './rows.ts';
import type { TableSchema } from './schema.ts';
import { ALL_PARTS, NewestTimestamp, TimestampHeader, type TimestampParts } from './timestamps.ts';

const IS_EMPTY = 0x01;
const IS_REVERSED = 0x02;
const HAS_PARTITION_DELETION = 0x04;
const HAS_STATIC_ROW = 0x08;
const HAS_ROW_ESTIMATE = 0x10;

/** What one mutation does to one partition of one table. Offsets are into the memory that was decoded. */
export interface PartitionUpdate {
  table: TableSchema;
  start: number;
  end: number;
  keyStart: number;
  keyEnd: number;
}

export interface Mutation {
  updates: PartitionUpdate[];
  /** Microseconds; undefined for a mutation without any timestamp, which does nothing. */
  newest: bigint | undefined;
}

/** Finds a table by the 16 bytes at `at`; undefined where the id is not known. */
export type TableLookup = (bytes: Buffer, at: number) => TableSchema | undefined;

/** How many updates a body has and where the first table id is, without decoding any. */
export function peekMutation(bytes: Buffer, start: number, end: number): { count: number; firstTableAt: number } {
  const reader = new ByteReader(bytes, start, end);
  const count = reader.length();
  if (count < 1) throw new Undecodable('a mutation without updates');
  const firstTableAt = reader.pos;
  reader.skip(16);
  return { count, firstTableAt };
}

/**
 * Decodes the body of an entry. Throws `Undecodable` where the bytes do not follow the schema: every byte must be
 * accounted for.
 */
export function decodeMutation(
  bytes: Buffer,
  start: number,
  end: number,
  lookup: TableLookup,
  parts: Readonly<TimestampParts> = ALL_PARTS,
): Mutation {
  const reader = new ByteReader(bytes, start, end);
  const newest = new NewestTimestamp();
  const updates: PartitionUpdate[] = [];
  for (let n = reader.length(); n > 0; n--) updates.push(decodeUpdate(reader, lookup, parts, newest));
  if (updates.length === 0) throw new Undecodable('a mutation without updates');
  if (reader.pos !== end) throw new Undecodable(`${end - reader.pos} bytes are left over`);
  return { updates, newest: newest.value() };
}

function decodeUpdate(
  reader: ByteReader,
  lookup: TableLookup,
  parts: Readonly<TimestampParts>,
  newest: NewestTimestamp,
): PartitionUpdate {
  const start = reader.pos;
  reader.skip(16);
  const table = lookup(reader.bytes, start);
  if (table === undefined) throw new Undecodable(`table ${tableIdAt(reader.bytes, start)} is not known`);
  const keyLength = reader.length();
  const keyStart = reader.pos;
  reader.skip(keyLength);
  const keyEnd = reader.pos;
  const flags = reader.byte();
  if ((flags & IS_REVERSED) !== 0) throw new Undecodable('an update in reverse order');
  if ((flags & IS_EMPTY) === 0) walkUpdate(reader, flags, table, parts, newest);
  return { table, start, end: reader.pos, keyStart, keyEnd };
}

function walkUpdate(
  reader: ByteReader,
  flags: number,
  table: TableSchema,
  parts: Readonly<TimestampParts>,
  newest: NewestTimestamp,
): void {
  const header = new TimestampHeader(reader);
  // The least local deletion time and TTL: bases of values that are passed over.
  reader.skipVint();
  reader.skipVint();
  const hasStatic = (flags & HAS_STATIC_ROW) !== 0;
  const statics = hasStatic ? readColumns(reader, table) : [];
  const regulars = readColumns(reader, table);
  const context: RowContext = { reader, header, clustering: table.clustering, parts, newest };
  if ((flags & HAS_PARTITION_DELETION) !== 0) readDeletion(context, parts.partitionDeletions);
  if (hasStatic) walkStaticRow(context, statics);
  if ((flags & HAS_ROW_ESTIMATE) !== 0) reader.skipVint();
  walkRows(context, regulars);
}

/** The table id whose 16 bytes are at `at`, as `system_schema` spells it. */
function tableIdAt(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

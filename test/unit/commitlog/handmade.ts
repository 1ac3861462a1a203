import type { TableSchema } from '../../../src/commitlog/index.ts';
import { makeEntry } from '../../../src/commitlog/entry.ts';
import { PLAIN_HEADER_BYTES, segmentName, writeHeader, type SegmentVersion } from '../../../src/commitlog/header.ts';
import { MARKER_SIZE, writeMarker } from '../../../src/commitlog/marker.ts';

const EPOCH = 1_442_880_000_000_000n;

/** A table `(k, c int, v text)`, as the schema parser would give it. */
export function table(n: number, more: Partial<TableSchema> = {}): TableSchema {
  return {
    id: idOf(n),
    keyspace: 'ks',
    table: `t${n}`,
    clustering: [4],
    columns: new Map([['v', { fixed: -1, complex: false }]]),
    counter: false,
    ...more,
  };
}

export function idOf(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

export function schemaOf(...tables: TableSchema[]): Map<string, TableSchema> {
  return new Map(tables.map((t) => [t.id, t]));
}

/** Cassandra's unsigned vint of a 64-bit value. */
export function vint(value: bigint | number): Buffer {
  const unsigned = BigInt.asUintN(64, BigInt(value));
  let extra = 0;
  while (extra < 8 && unsigned >= 1n << BigInt(7 * (extra + 1))) extra++;
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(unsigned, 1);
  const out = Buffer.from(bytes.subarray(8 - extra));
  out[0] = (out[0]! | ~(0xff >>> extra)) & 0xff;
  return out;
}

/** An update of rows of table `n`, all written at `at`; `deletion` deletes the rows instead. */
export function update(
  n: number,
  key: string,
  at: bigint,
  of: { deletion?: boolean; value?: string; rows?: number } = {},
): Buffer {
  const rows = Array.from({ length: of.rows ?? 1 }, (_, c) => row(c, of.deletion === true, of.value ?? 'value'));
  return Buffer.concat([
    Buffer.from(idOf(n).replaceAll('-', ''), 'hex'),
    vint(key.length),
    Buffer.from(key),
    Buffer.from([0]),
    // the least timestamp, local deletion time and TTL; the name of one column
    vint(at - EPOCH),
    vint(0),
    vint(0),
    Buffer.from([1, 1]),
    Buffer.from('v'),
    ...rows,
    Buffer.from([1]),
  ]);
}

function row(clustering: number, deletion: boolean, value: string): Buffer {
  const c = [0, 0, 0, 0, clustering];
  // a deletion: no difference to the least timestamp, a local time; none of the columns
  if (deletion) return Buffer.from([0x10, ...c, 0, 0, 1]);
  // liveness with no difference to the least timestamp, all columns; the cell has its row's timestamp
  return Buffer.concat([Buffer.from([0x24, ...c, 0, 0x08]), vint(value.length), Buffer.from(value)]);
}

/** A whole entry with these updates. */
export function entry(...updates: Buffer[]): Buffer {
  return makeEntry([vint(updates.length), ...updates]);
}

/** A plain segment of sections of entries. `unsynced` stand behind the last marker, zeroes behind them. */
export function segment(
  id: bigint,
  sections: readonly Buffer[][],
  more: { version?: SegmentVersion; unsynced?: Buffer[]; zeroes?: number } = {},
): { name: string; bytes: Buffer } {
  const version = more.version ?? 7;
  const parts: Buffer[] = [writeHeader(version, id)];
  const markers: number[] = [];
  let at = PLAIN_HEADER_BYTES;
  for (const section of sections) {
    markers.push(at);
    parts.push(Buffer.alloc(MARKER_SIZE), ...section);
    at += MARKER_SIZE + section.reduce((sum, e) => sum + e.length, 0);
  }
  parts.push(Buffer.alloc(MARKER_SIZE), ...(more.unsynced ?? []), Buffer.alloc(more.zeroes ?? 64));
  const bytes = Buffer.concat(parts);
  for (const [i, marker] of markers.entries()) writeMarker(bytes, marker, id, markers[i + 1] ?? at);
  return { name: segmentName(version, id), bytes };
}

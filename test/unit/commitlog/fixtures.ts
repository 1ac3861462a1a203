import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseTableSchemas, type SchemaRows, type TableSchema } from '../../../src/commitlog/index.ts';

const ROOT = path.join(import.meta.dirname, '..', '..', 'fixtures', 'commitlog');
export const VERSIONS = ['4.1.10', '5.0.6'] as const;
export const WAYS = ['none', 'LZ4Compressor', 'SnappyCompressor', 'DeflateCompressor', 'ZstdCompressor'] as const;
export type Version = (typeof VERSIONS)[number];
export type Way = (typeof WAYS)[number];

export interface Segment {
  name: string;
  bytes: Buffer;
}

/** Segments that a real Cassandra wrote, oldest first. The last may be an unused one. */
export function segmentsOf(version: Version, way: Way): Segment[] {
  const folder = path.join(ROOT, version, way);
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(path.join(folder, name)) }));
}

/** The segment with the mutations. */
export function segmentOf(version: Version, way: Way): Segment {
  return segmentsOf(version, way)[0]!;
}

/** What Cassandra's own reader saw, a line a mutation: segment, position, size, table:key …, newest timestamp. */
export function linesOf(version: Version, way: Way): string[] {
  return readFileSync(path.join(ROOT, version, `${way}.lines`), 'utf8')
    .trimEnd()
    .split('\n');
}

export function rowsOf(version: Version): SchemaRows {
  return JSON.parse(readFileSync(path.join(ROOT, version, 'schema.json'), 'utf8')) as SchemaRows;
}

export function schemaOf(version: Version): Map<string, TableSchema> {
  return parseTableSchemas(rowsOf(version));
}

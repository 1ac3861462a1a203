import { Undecodable, type ByteReader } from './byte-reader.ts';
import type { ValueShape } from './cql-type.ts';
import type { TableSchema } from './schema.ts';

/** The columns that an update's header lists, in its order, which is that of the cells. */
export function readColumns(reader: ByteReader, table: TableSchema): ValueShape[] {
  const count = reader.length();
  const shapes: ValueShape[] = [];
  for (let i = 0; i < count; i++) {
    const length = reader.length();
    const start = reader.pos;
    reader.skip(length);
    const name = reader.bytes.toString('latin1', start, reader.pos);
    const shape = table.columns.get(name);
    if (shape === undefined) {
      throw new Undecodable(`column ${reader.bytes.toString('utf8', start, reader.pos)} is not in the schema`);
    }
    shapes.push(shape);
  }
  return shapes;
}

/** Those of `all` that a row has: a bitmap of the missing ones, or from 64 columns on a list of indexes. */
export function readSubset(reader: ByteReader, all: readonly ValueShape[]): readonly ValueShape[] {
  const encoded = reader.vint();
  if (encoded === 0) return all;
  if (all.length >= 64) return readLargeSubset(reader, all, encoded);
  if (encoded > 0 && encoded < 2 ** 31) {
    if (encoded >= 2 ** all.length) throw new Undecodable('more missing columns than there are');
    return all.filter((_, i) => i > 30 || ((encoded >>> i) & 1) === 0);
  }
  const missing = encoded < 0 ? reader.big : BigInt(encoded);
  if (missing >> BigInt(all.length) !== 0n) throw new Undecodable('more missing columns than there are');
  return all.filter((_, i) => ((missing >> BigInt(i)) & 1n) === 0n);
}

function readLargeSubset(reader: ByteReader, all: readonly ValueShape[], missing: number): readonly ValueShape[] {
  const present = all.length - missing;
  if (missing < 0 || present < 0) throw new Undecodable('more missing columns than there are');
  const listsPresent = present < Math.floor(all.length / 2);
  const listed = new Set<number>();
  for (let i = 0, previous = -1; i < (listsPresent ? present : missing); i++) {
    const index = reader.length();
    if (index <= previous || index >= all.length) throw new Undecodable('column indexes are out of order');
    listed.add(index);
    previous = index;
  }
  return all.filter((_, i) => listed.has(i) === listsPresent);
}

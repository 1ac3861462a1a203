import { Undecodable, type ByteReader } from './byte-reader.ts';

/** Values under one header vint; it has two bits for each: 1 = empty, 2 = null, else the value follows. */
const GROUP = 32;

/** Passes over `count` clustering values. A bound of a range deletion may have fewer than the table. */
export function skipClustering(reader: ByteReader, lengths: readonly number[], count: number): void {
  if (count > lengths.length) throw new Undecodable('more clustering values than the table has');
  for (let from = 0; from < count; from += GROUP) {
    const to = Math.min(count, from + GROUP);
    const header = reader.vint();
    if (header === 0) {
      for (let i = from; i < to; i++) skipValue(reader, lengths[i]!);
      continue;
    }
    const bits = header < 0 ? reader.big : BigInt(header);
    for (let i = from; i < to; i++) {
      if (((bits >> BigInt((i - from) * 2)) & 3n) === 0n) skipValue(reader, lengths[i]!);
    }
  }
}

/** Passes over one value of `fixed` bytes, or one that begins with its length (-1). */
export function skipValue(reader: ByteReader, fixed: number): void {
  if (fixed >= 0) reader.skip(fixed);
  else reader.skipWithLength();
}

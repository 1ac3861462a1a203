import { crc32 } from 'node:zlib';

const TABLE = makeTable();

/** CRC32 of `bytes`, continued from `seed`; unsigned. Worth the native call for more than a few bytes. */
export function crcOf(bytes: Uint8Array, seed = 0): number {
  return crc32(bytes, seed);
}

/** CRC32 over one big-endian 32-bit integer, continued from `seed`; unsigned. In plain code: it is called an entry. */
export function crcOfInt(value: number, seed = 0): number {
  let c = ~seed;
  c = TABLE[(c ^ (value >>> 24)) & 0xff]! ^ (c >>> 8);
  c = TABLE[(c ^ (value >>> 16)) & 0xff]! ^ (c >>> 8);
  c = TABLE[(c ^ (value >>> 8)) & 0xff]! ^ (c >>> 8);
  c = TABLE[(c ^ value) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** The CRC of a sync marker: it ties the marker to its segment and to its own place in the file, not to what it says. */
export function crcOfMarker(id: bigint, filePosition: number): number {
  const low = Number(id & 0xffffffffn);
  const high = Number((id >> 32n) & 0xffffffffn);
  return crcOfInt(filePosition, crcOfInt(high, crcOfInt(low)));
}

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    table[n] = c;
  }
  return table;
}

import { describe, expect, test } from 'vitest';
import { crcOf, crcOfInt } from '../../../src/commitlog/checksum.ts';
import { parseSegmentName, readHeader, segmentName } from '../../../src/commitlog/index.ts';
import { writeHeader } from '../../../src/commitlog/header.ts';
import { codeOf } from './code-of.ts';
import { segmentOf, VERSIONS, WAYS } from './fixtures.ts';

function header(version: number, id: bigint, json: string): Buffer {
  const b = Buffer.alloc(18 + json.length);
  b.writeInt32BE(version, 0);
  b.writeBigInt64BE(id, 4);
  b.writeUInt16BE(json.length, 12);
  b.write(json, 14);
  let crc = crcOfInt(version);
  crc = crcOfInt(Number(id & 0xffffffffn), crc);
  crc = crcOfInt(Number(id >> 32n), crc);
  crc = crcOf(Buffer.from(json), crcOfInt(json.length, crc));
  b.writeUInt32BE(crc, 14 + json.length);
  return b;
}

describe('the header of a segment', () => {
  test.each(VERSIONS.flatMap((v) => WAYS.map((w) => [v, w] as const)))('of Cassandra %s, %s, is read', (v, way) => {
    const { name, bytes } = segmentOf(v, way);
    const found = readHeader(bytes, name);
    expect(found.version).toBe(v === '4.1.10' ? 7 : 8);
    expect(found.id).toBe(parseSegmentName(name)?.id);
    expect(found.compression).toBe(way === 'none' ? 'none' : way.replace('Compressor', '').toLowerCase());
  });

  test('that was written is read again', () => {
    const b = writeHeader(8, 1_795_397_757_106n);
    expect(readHeader(b, segmentName(8, 1_795_397_757_106n))).toEqual({
      version: 8,
      id: 1_795_397_757_106n,
      compression: 'none',
      length: b.length,
    });
  });

  test('needs no more than the first bytes', () => {
    const { name, bytes } = segmentOf('4.1.10', 'LZ4Compressor');
    const { length } = readHeader(bytes, name);
    expect(readHeader(bytes.subarray(0, length), name).length).toBe(length);
    expect(codeOf(() => readHeader(bytes.subarray(0, length - 1), name))).toBe('segment-damaged');
  });

  test.each([
    ['format 6', header(6, 5n, '{}'), 'CommitLog-6-5.log'],
    ['format 9', header(9, 5n, '{}'), 'CommitLog-9-5.log'],
    [
      'an encrypted segment',
      header(7, 5n, '{"encCipher":"AES/CBC/PKCS5Padding","encKeyAlias":"k"}'),
      'CommitLog-7-5.log',
    ],
    ['a compressor of its own', header(7, 5n, '{"compressionClass":"com.example.X"}'), 'CommitLog-7-5.log'],
    ['a key that is not known', header(7, 5n, '{"layout":"new"}'), 'CommitLog-7-5.log'],
  ])('of %s is refused', (_, bytes, name) => {
    expect(codeOf(() => readHeader(bytes, name))).toBe('segment-unsupported');
  });

  test.each([
    ['another id', 'CommitLog-7-6.log'],
    ['another version', 'CommitLog-8-5.log'],
    ['no segment', 'CommitLog-7-5.tmp'],
  ])('is damage where the name is that of %s', (_, name) => {
    expect(codeOf(() => readHeader(header(7, 5n, '{}'), name))).toBe('segment-damaged');
  });

  test('with any bit flipped is damage', () => {
    const good = header(7, 5n, '{}');
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(codeOf(() => readHeader(bad, 'CommitLog-7-5.log'))).toBe('segment-damaged');
    }
  });
});

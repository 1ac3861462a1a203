import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newestTimestamp, newestWrite } from '../../../../src/drivers/cassandra/sstable-times.ts';

const FOLDER = join(import.meta.dirname, '../../../fixtures/sstable');

/** Of SSTables that real nodes wrote; what Cassandra's own `sstablemetadata` says of them. */
const REAL = { 'nb-6-big-Statistics.db': 1795548714080896n };

const read = (name: string) => readFile(join(FOLDER, name));
const fileOf = (name: string) => ({ path: `t-1/${name}`, absolute: join(FOLDER, name), size: 1, mtimeMs: 0 });

test.each(Object.entries(REAL))('the newest write of %s is what Cassandra says', async (name, us) => {
  expect(newestTimestamp(name, await read(name))).toBe(us);
});

test('of a snapshot the newest of all its SSTables counts, with its file', async () => {
  const files = [...Object.keys(REAL).map(fileOf), fileOf('nb-6-big-Data.db')];
  const [[name, us]] = Object.entries(REAL).sort(([, a], [, b]) => (a < b ? 1 : -1)) as [[string, bigint]];
  expect(await newestWrite(files)).toEqual({ us: String(us), file: `t-1/${name}` });
  expect(await newestWrite([])).toBeUndefined();
});

test('an SSTable without a timestamp has none', async () => {
  const content = await read('nb-6-big-Statistics.db');
  const at = content.indexOf(Buffer.from(REAL['nb-6-big-Statistics.db'].toString(16).padStart(16, '0'), 'hex'));
  content.writeBigInt64BE(2n ** 63n - 1n, at);
  expect(newestTimestamp('nb-6-big-Statistics.db', content)).toBeUndefined();
});

test('a file that is cut short or has no statistics is a typed error', async () => {
  const name = 'nb-6-big-Statistics.db';
  const content = await read(name);
  for (const length of [0, 3, 8, 40, 60]) {
    expect(() => newestTimestamp(name, content.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'snapshot-failed' }),
    );
  }
});

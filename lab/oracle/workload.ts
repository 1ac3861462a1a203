import type { Client } from 'cassandra-driver';
import type { CassandraVersion } from '../layout.ts';

const UUID = '00000000-0000-4000-8000-0000000000';
const TIMEUUID = '50554d6e-29bb-11e5-b345-feff819cdc';

/** Tables of every shape whose rows lie differently in the log. */
function schema(version: CassandraVersion): string[] {
  return [
    `CREATE KEYSPACE shapes WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    `CREATE TYPE shapes.address (street text, zip int, tags frozen<set<text>>)`,
    `CREATE TYPE shapes."Quoted Type" (a int, b frozen<address>)`,
    `CREATE TABLE shapes.natives (k int PRIMARY KEY, a ascii, bi bigint, bl blob, bo boolean, d date, de decimal, do double,
       du duration, f float, i inet, n int, s smallint, t text, ti time, ts timestamp, tu timeuuid, ty tinyint, u uuid, v varint)`,
    `CREATE TABLE shapes.clustered (k text, a int, b text, c timeuuid, d tinyint, e bigint, v text, w int, s text STATIC,
       sm map<text, int> STATIC, PRIMARY KEY ((k), a, b, c, d, e)) WITH CLUSTERING ORDER BY (a DESC, b ASC, c DESC, d ASC, e DESC)`,
    `CREATE TABLE shapes.collections (k int, c int, l list<int>, s set<text>, m map<text, blob>, fl frozen<list<int>>,
       fs frozen<set<uuid>>, fm frozen<map<int, text>>, n map<int, frozen<list<text>>>, u address, fu frozen<address>,
       q frozen<"Quoted Type">, lu list<frozen<address>>, t tuple<int, text, frozen<set<int>>>, plain int, PRIMARY KEY (k, c))`,
    `CREATE TABLE shapes.composite (a int, b text, v text, PRIMARY KEY ((a, b)))`,
    `CREATE TABLE shapes.keyonly (k blob, c blob, PRIMARY KEY (k, c))`,
    `CREATE TABLE shapes.graph (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))`,
    `CREATE TABLE shapes.counts (k text, c int, n counter, PRIMARY KEY (k, c))`,
    `CREATE TABLE shapes.dropping (k int, c int, kept text, gone int, gone_list list<int>, gone_type frozen<address>, PRIMARY KEY (k, c))`,
    `CREATE TABLE shapes.wide (k int, c int, ${wide((i) => `v${i} ${i % 3 === 0 ? 'int' : 'text'}`)}, PRIMARY KEY (k, c))`,
    `CREATE TABLE shapes.many (k int, ${Array.from({ length: 35 }, (_, i) => `c${i} ${i % 2 ? 'int' : 'text'}`).join(', ')}, v int,
       PRIMARY KEY (k, ${Array.from({ length: 35 }, (_, i) => `c${i}`).join(', ')}))`,
    `CREATE TABLE shapes.truncated (k int PRIMARY KEY, v text)`,
    ...(version === '5.0.6'
      ? [
          `CREATE TABLE shapes.vectors (k int, c vector<float, 2>, v vector<float, 3>, w vector<text, 2>, x vector<bigint, 4>,
             s list<frozen<vector<int, 2>>>, PRIMARY KEY (k, c))`,
        ]
      : []),
  ];
}

function writes(version: CassandraVersion, format: number): string[] {
  const c = 'shapes.clustered';
  const row = (a: number, b: string) => `'p', ${a}, '${b}', ${TIMEUUID}0${a}, ${a}, ${a * 1000}`;
  const at = (a: number, b: string) =>
    `k = 'p' AND a = ${a} AND b = '${b}' AND c = ${TIMEUUID}0${a} AND d = ${a} AND e = ${a * 1000}`;
  const l = 'shapes.collections';
  return [
    `INSERT INTO shapes.natives (k, a, bi, bl, bo, d, de, do, du, f, i, n, s, t, ti, ts, tu, ty, u, v) VALUES (1, 'a', -5, 0xcafe, true,
       '2026-11-23', 12.5, 1.5, 1mo2d3s, 2.5, '127.0.0.1', 7, 300, 'text', '08:12:54.123456789', '2026-11-23 01:02:03', ${TIMEUUID}07, 5, ${UUID}07, 1234567890123456789012345)`,
    `INSERT INTO shapes.natives (k, n, bl, t) VALUES (2, 1, 0x, '')`,
    `INSERT INTO shapes.natives (k, t) VALUES (3, 'ttl') USING TTL 86400`,
    `INSERT INTO shapes.natives (k, t, n) VALUES (3, 'both', 3) USING TTL 1000 AND TIMESTAMP 1700000000000001`,
    `UPDATE shapes.natives USING TTL 500 SET t = 'u', bo = false WHERE k = 4`,
    `UPDATE shapes.natives USING TIMESTAMP 1 SET t = 'long ago' WHERE k = 4`,
    `UPDATE shapes.natives USING TIMESTAMP -77 SET n = 4 WHERE k = 4`,
    `UPDATE shapes.natives USING TIMESTAMP 9223372036854775800 SET n = 5 WHERE k = 5`,
    `UPDATE shapes.natives USING TIMESTAMP 1442880000000000 SET n = 5 WHERE k = 5`,
    `BEGIN BATCH UPDATE shapes.natives USING TIMESTAMP -9000000000000000000 SET n = 5 WHERE k = 6;
       UPDATE shapes.natives USING TIMESTAMP 9000000000000000000 SET t = 'far' WHERE k = 6; APPLY BATCH`,
    `UPDATE shapes.natives SET t = null, n = null WHERE k = 1`,
    `DELETE ts, u FROM shapes.natives WHERE k = 1`,
    `DELETE FROM shapes.natives WHERE k = 2`,
    `DELETE FROM shapes.natives USING TIMESTAMP 1800000000000000 WHERE k = 2`,
    ...[1, 2, 3, 4, 5].map((a) => `INSERT INTO ${c} (k, a, b, c, d, e, v, w) VALUES (${row(a, `b${a}`)}, 'v', ${a})`),
    `INSERT INTO ${c} (k, a, b, c, d, e) VALUES (${row(6, '')})`,
    `INSERT INTO ${c} (k, s) VALUES ('p', 'static')`,
    `UPDATE ${c} SET sm = {'a': 1, 'b': 2} WHERE k = 'p'`,
    `UPDATE ${c} SET sm['a'] = 3 WHERE k = 'p'`,
    `DELETE sm['b'] FROM ${c} WHERE k = 'p'`,
    `DELETE s FROM ${c} WHERE k = 'p'`,
    `BEGIN BATCH INSERT INTO ${c} (k, s) VALUES ('p', 'again'); INSERT INTO ${c} (k, a, b, c, d, e, v) VALUES (${row(7, 'b7')}, 'with static'); APPLY BATCH`,
    `UPDATE ${c} SET v = 'u', w = 9 WHERE ${at(1, 'b1')}`,
    `DELETE v FROM ${c} WHERE ${at(1, 'b1')}`,
    `DELETE FROM ${c} WHERE ${at(2, 'b2')}`,
    `DELETE FROM ${c} WHERE k = 'p' AND a = 3`,
    `DELETE FROM ${c} WHERE k = 'p' AND a > 3 AND a <= 5`,
    `DELETE FROM ${c} WHERE k = 'p' AND a = 6 AND b >= 'a' AND b < 'z'`,
    `DELETE FROM ${c} WHERE k = 'p' AND a < 2`,
    `BEGIN BATCH DELETE FROM ${c} USING TIMESTAMP 1700000000000010 WHERE k = 'q' AND a >= 1 AND a < 5;
       DELETE FROM ${c} USING TIMESTAMP 1700000000000020 WHERE k = 'q' AND a >= 3 AND a < 8;
       DELETE FROM ${c} USING TIMESTAMP 1700000000000005 WHERE k = 'q' AND a >= 8 AND a <= 9;
       UPDATE ${c} USING TIMESTAMP 1700000000000002 SET v = 'x' WHERE k = 'q' AND a = 4 AND b = '' AND c = ${TIMEUUID}01 AND d = 1 AND e = 1; APPLY BATCH`,
    `DELETE FROM ${c} WHERE k = 'p'`,
    `BEGIN BATCH DELETE FROM ${c} USING TIMESTAMP 1700000000000000 WHERE k = 'r';
       INSERT INTO ${c} (k, a, b, c, d, e, v) VALUES ('r', 1, 'b', ${TIMEUUID}01, 1, 1, 'after') USING TIMESTAMP 1700000000000001; APPLY BATCH`,
    `INSERT INTO ${l} (k, c, l, s, m, fl, fs, fm, n, u, fu, q, lu, t, plain) VALUES (1, 1, [1, 2, 3], {'x', 'y'}, {'a': 0x01, 'b': 0x}, [4, 5],
       {${UUID}01}, {1: 'one'}, {7: ['p', 'q']}, {street: 's', zip: 1, tags: {'t'}}, {street: 'f', zip: 2},
       {a: 1, b: {street: 'n'}}, [{street: 'l'}], (1, 'two', {3}), 9)`,
    `UPDATE ${l} SET l = l + [4], s = s + {'z'}, m = m + {'c': 0x03} WHERE k = 1 AND c = 1`,
    `UPDATE ${l} SET l = [0] + l, s = s - {'x'}, m = m - {'a'} WHERE k = 1 AND c = 1`,
    `UPDATE ${l} SET m['d'] = 0x04, u.street = 'other' WHERE k = 1 AND c = 1`,
    `UPDATE ${l} SET l = [9], plain = 10 WHERE k = 1 AND c = 1`,
    `UPDATE ${l} USING TTL 777 AND TIMESTAMP 1700000000000100 SET m = {'ttl': 0x05}, u = {street: 'r', zip: 5}, fl = [1] WHERE k = 1 AND c = 2`,
    `UPDATE ${l} SET l[0] = 5 WHERE k = 1 AND c = 1`,
    `DELETE m['c'], u.zip FROM ${l} WHERE k = 1 AND c = 1`,
    `DELETE l, s, m, u FROM ${l} WHERE k = 1 AND c = 1`,
    `DELETE fl, t, q FROM ${l} WHERE k = 1 AND c = 1`,
    `DELETE FROM ${l} WHERE k = 1 AND c = 1`,
    `INSERT INTO ${l} (k, c, l, s, n) VALUES (1, 3, [], {}, null)`,
    `INSERT INTO shapes.composite (a, b, v) VALUES (1, 'key', 'v')`,
    `DELETE FROM shapes.composite WHERE a = 1 AND b = 'key'`,
    `INSERT INTO shapes.keyonly (k, c) VALUES (0x01, 0x)`,
    `INSERT INTO shapes.keyonly (k, c) VALUES (0x01, 0x0203)`,
    `DELETE FROM shapes.keyonly WHERE k = 0x01 AND c = 0x0203`,
    `UPDATE shapes.counts SET n = n + 1 WHERE k = 'a' AND c = 1`,
    `UPDATE shapes.counts SET n = n - 5 WHERE k = 'a' AND c = 1`,
    `DELETE FROM shapes.counts WHERE k = 'a' AND c = 1`,
    `INSERT INTO shapes.dropping (k, c, kept, gone, gone_list, gone_type) VALUES (1, 1, 'kept', 5, [1, 2], {street: 'g'})`,
    `INSERT INTO shapes.dropping (k, c, gone) VALUES (1, 2, 6)`,
    `INSERT INTO shapes.wide (k, c, v0, v1, v63, v64, v69) VALUES (1, 1, 1, 'one', 63, 'x', 69)`,
    `INSERT INTO shapes.wide (k, c, ${wide((i) => `v${i}`)}) VALUES (1, 2, ${wide((i) => (i % 3 === 0 ? `${i}` : `'t${i}'`))})`,
    `BEGIN BATCH INSERT INTO shapes.wide (k, c, ${wide((i) => `v${i}`)}) VALUES (1, 3, ${wide((i) => (i % 3 === 0 ? `${i}` : `'t${i}'`))});
       INSERT INTO shapes.wide (k, c, v3, v40) VALUES (1, 4, 3, 'forty');
       INSERT INTO shapes.wide (k, c, ${wide((i) => `v${i}`, 50)}) VALUES (1, 5, ${wide((i) => (i % 3 === 0 ? `${i}` : `'t${i}'`), 50)}); APPLY BATCH`,
    `BEGIN BATCH INSERT INTO shapes.collections (k, c, plain, t) VALUES (5, 1, 1, (1, 'x', {2}));
       INSERT INTO shapes.collections (k, c, s) VALUES (5, 2, {'only'}); INSERT INTO shapes.collections (k, c, plain, m) VALUES (5, 3, 3, {'k': 0x06}); APPLY BATCH`,
    `INSERT INTO shapes.many (k, ${many((i) => `c${i}`)}, v) VALUES (1, ${many((i) => (i % 2 ? `${i}` : i % 4 ? `'x'` : `''`))}, 5)`,
    `DELETE FROM shapes.many WHERE k = 1 AND c0 = '' AND c1 = 1`,
    `DELETE FROM shapes.many WHERE k = 1 AND ${Array.from({ length: 34 }, (_, i) => `c${i} = ${i % 2 ? i : i % 4 ? `'x'` : `''`}`).join(' AND ')} AND c34 > 'a'`,
    // One mutation over three tables: the same partition key, one keyspace.
    `BEGIN BATCH INSERT INTO shapes.natives (k, t) VALUES (99, 'b'); INSERT INTO shapes.collections (k, c, plain) VALUES (99, 1, 1);
       INSERT INTO shapes.dropping (k, c, kept) VALUES (99, 1, 'b'); DELETE FROM shapes.wide WHERE k = 99; APPLY BATCH`,
    `BEGIN UNLOGGED BATCH INSERT INTO shapes.natives (k, t) VALUES (98, 'b'); DELETE FROM shapes.collections WHERE k = 98 AND c = 1; APPLY BATCH`,
    `INSERT INTO shapes.natives (k, t) VALUES (97, 'lwt') IF NOT EXISTS`,
    `UPDATE shapes.natives SET t = 'lwt2' WHERE k = 97 IF t = 'lwt'`,
    `INSERT INTO shapes.natives JSON '{"k": 96, "t": "json", "n": 3}'`,
    `INSERT INTO shapes.truncated (k, v) VALUES (1, 'before')`,
    ...(version === '5.0.6'
      ? [
          `INSERT INTO shapes.vectors (k, c, v, w, x, s) VALUES (1, [0.5, 1.5], [1, 2, 3], ['a', 'bc'], [1, 2, 3, 4], [[5, 6], [7, 8]])`,
          `UPDATE shapes.vectors SET v = [3, 2, 1] WHERE k = 1 AND c = [0.5, 1.5]`,
          `DELETE x FROM shapes.vectors WHERE k = 1 AND c = [0.5, 1.5]`,
        ]
      : []),
    // Beyond 2038 only the newer format goes.
    ...(format === 8 ? [`INSERT INTO shapes.natives (k, t) VALUES (95, 'far ttl') USING TTL 600000000`] : []),
  ];
}

/** Makes the tables, writes to them in every way, and drops some columns afterwards. */
export async function writeShapes(client: Client, version: CassandraVersion, format: number): Promise<void> {
  for (const statement of schema(version)) await client.execute(statement);
  for (const statement of writes(version, format)) await client.execute(statement);
  for (const column of ['gone', 'gone_list', 'gone_type']) {
    await client.execute(`ALTER TABLE shapes.dropping DROP ${column}`);
  }
  await client.execute(`INSERT INTO shapes.dropping (k, c, kept) VALUES (2, 1, 'after')`);
  await client.execute('TRUNCATE shapes.truncated');
  await client.execute(`INSERT INTO shapes.truncated (k, v) VALUES (2, 'after')`);
}

/** Rows as JanusGraph writes them: small blobs, batches in one partition, a deletion now and then. */
export async function writeGraph(client: Client, batches: number): Promise<void> {
  const insert = 'INSERT INTO shapes.graph (key, column1, value) VALUES (?, ?, ?) USING TIMESTAMP ?';
  const remove = 'DELETE FROM shapes.graph USING TIMESTAMP ? WHERE key = ? AND column1 = ?';
  const base = Date.now() * 1000;
  const one = async (n: number): Promise<void> => {
    const key = Buffer.alloc(8);
    key.writeInt32BE(n, 4);
    const queries = Array.from({ length: 5 }, (_, i) =>
      n % 7 === 3 && i === 2
        ? { query: remove, params: [base + n * 2, key, Buffer.from([i, 1])] }
        : {
            query: insert,
            params: [key, Buffer.from([i, n & 0xff]), Buffer.alloc(20 + ((n * 13) % 90), n), base + n * 2 + 1],
          },
    );
    await client.batch(queries, { prepare: true, logged: false });
  };
  for (let n = 0; n < batches; n += 64) {
    await Promise.all(Array.from({ length: Math.min(64, batches - n) }, (_, i) => one(n + i)));
  }
}

function wide(of: (i: number) => string, count = 70): string {
  return Array.from({ length: count }, (_, i) => of(i)).join(', ');
}

function many(of: (i: number) => string): string {
  return Array.from({ length: 35 }, (_, i) => of(i)).join(', ');
}

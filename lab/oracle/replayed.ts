import type { Client } from 'cassandra-driver';

/** Two keyspaces with the same tables and writes: one for the filter, one for a filter that overlooks something. */
export const REPLAYED = ['replayed', 'control'] as const;

/** Makes the tables of a keyspace and writes what must be there after a replay. */
export async function writeBefore(client: Client, keyspace: string): Promise<void> {
  const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`;
  await client.execute(`CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`);
  await client.execute(
    `CREATE TABLE ${keyspace}.rows (p int, c int, v text, m map<text, int>, s int STATIC, PRIMARY KEY (p, c))`,
  );
  await client.execute(`CREATE TABLE ${keyspace}.wiped (k int PRIMARY KEY, v text)`);
  const rows = `${keyspace}.rows`;
  for (let p = 1; p <= 6; p++) {
    for (let c = 1; c <= 4; c++) {
      const v = p === 1 && c === 1 ? 'deleted after T' : `v${p}.${c}`;
      await client.execute(`INSERT INTO ${rows} (p, c, v, m) VALUES (${p}, ${c}, '${v}', {'a': ${c}})`);
    }
  }
  await client.execute(`UPDATE ${rows} SET s = 1 WHERE p = 1`);
  await client.execute(`DELETE FROM ${rows} WHERE p = 6 AND c = 1`);
  await client.execute(`DELETE FROM ${rows} WHERE p = 6 AND c > 2`);
  await client.execute(`UPDATE ${rows} SET m = m + {'b': 7}, v = 'updated' WHERE p = 5 AND c = 1`);
  for (let k = 1; k <= 5; k++) await client.execute(`INSERT INTO ${keyspace}.wiped (k, v) VALUES (${k}, 'old')`);
  await client.execute(`TRUNCATE ${keyspace}.wiped`);
  for (let k = 5; k <= 7; k++) await client.execute(`INSERT INTO ${keyspace}.wiped (k, v) VALUES (${k}, 'new')`);
}

/** Writes of every kind that must not be there after a replay. The row `deleted after T` is deleted. */
export async function writeAfter(client: Client, keyspace: string, T: bigint): Promise<void> {
  const rows = `${keyspace}.rows`;
  const statements = [
    `DELETE FROM ${rows} WHERE p = 1 AND c = 1`,
    `DELETE FROM ${rows} WHERE p = 2`,
    `DELETE FROM ${rows} WHERE p = 3 AND c > 1`,
    `DELETE v FROM ${rows} WHERE p = 4 AND c = 1`,
    `UPDATE ${rows} SET m = {'z': 1} WHERE p = 4 AND c = 2`,
    `DELETE m['a'] FROM ${rows} WHERE p = 4 AND c = 3`,
    `DELETE m FROM ${rows} WHERE p = 4 AND c = 4`,
    `UPDATE ${rows} SET v = 'after', s = 2 WHERE p = 1 AND c = 2`,
    `INSERT INTO ${rows} (p, c) VALUES (1, 9)`,
    `INSERT INTO ${keyspace}.wiped (k, v) VALUES (8, 'after')`,
    `INSERT INTO ${rows} (p, c, v) VALUES (7, 1, 'just after') USING TIMESTAMP ${T + 1n}`,
    // One mutation with a timestamp on either side of T: it is left out whole.
    `BEGIN UNLOGGED BATCH INSERT INTO ${rows} (p, c, v) VALUES (8, 1, 'before') USING TIMESTAMP ${T - 1n};
       INSERT INTO ${rows} (p, c, v) VALUES (8, 2, 'after') USING TIMESTAMP ${T + 1n}; APPLY BATCH`,
  ];
  for (const statement of statements) await client.execute(statement);
}

/** Every row with its values and write times, a line each. */
export async function readReplayed(client: Client, keyspace: string): Promise<string[]> {
  const found = await client.execute(`SELECT p, c, v, m, s, writetime(v) AS t FROM ${keyspace}.rows`);
  const wiped = await client.execute(`SELECT k, v FROM ${keyspace}.wiped`);
  return [
    ...found.rows.map((r) => JSON.stringify([r['p'], r['c'], r['v'], r['m'], r['s'], r['t'] !== null])),
    ...wiped.rows.map((r) => JSON.stringify(['wiped', r['k'], r['v']])),
  ].sort();
}

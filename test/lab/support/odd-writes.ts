// Writes of a client beside TheHive, whose timestamps it chooses itself, and a table that is dropped and made again: what a
// restore must bring back of them is known to the row.
import { setTimeout as delay } from 'node:timers/promises';
import { awaitAgreement, type CqlClient, withCql } from '../../../lab/clusters/cql.ts';
import type { Lab } from '../../../lab/index.ts';

const LATE = 'thehive.lab_late';
const TWICE = 'thehive.lab_twice';
/** How long before they are sent the late writes are stamped: longer than a backup takes until its linger. */
const EARLIER_US = 50_000_000;
/** How long before the linger begins those are stamped that are held up: right before `T`, since snapshots return late. */
const RIGHT_BEFORE_US = 3_000_000;
/** How long they are held up after the linger has begun. */
const HELD_UP_MS = 60_000;

const nowUs = (): number => Date.now() * 1000;

/** Makes both tables; of the one rows that are to be deleted, of the other the first generation. */
export async function prepareOddWrites(lab: Lab): Promise<void> {
  await withCql(lab.record, async (client) => {
    await client.execute(`CREATE TABLE ${LATE} (id text PRIMARY KEY)`);
    await client.execute(`CREATE TABLE ${TWICE} (id int PRIMARY KEY, what text)`);
    await awaitAgreement(client);
    for (const id of ['deleted late', 'deleted last', 'deleted after'])
      await insertLate(client, id, nowUs() - 2 * EARLIER_US);
    for (const id of [1, 2]) await client.execute(`INSERT INTO ${TWICE} (id, what) VALUES (${id}, 'old')`);
  });
}

/**
 * When the linger begins: writes stamped before `T`, as of a commit that was held up since, and writes stamped now, after `T`.
 * Then a minute later, which the linger must allow, writes stamped right before `T`: when those were stamped, sent and acknowledged.
 */
export async function writeLate(lab: Lab): Promise<{ stampedUs: number; sentUs: number; doneUs: number }> {
  const stampedUs = nowUs() - RIGHT_BEFORE_US;
  return withCql(lab.record, async (client) => {
    await insertLate(client, 'written late', nowUs() - EARLIER_US);
    await deleteLate(client, 'deleted late', nowUs() - EARLIER_US);
    await insertLate(client, 'written after', nowUs());
    await deleteLate(client, 'deleted after', nowUs());
    await delay(HELD_UP_MS);
    const sentUs = nowUs();
    await insertLate(client, 'written last', stampedUs);
    await deleteLate(client, 'deleted last', stampedUs);
    return { stampedUs, sentUs, doneUs: nowUs() };
  });
}

/** What a restore of a backup during whose linger `writeLate` ran must bring back. */
export const LATE_AT_T: readonly string[] = ['deleted after', 'written last', 'written late'];

export async function readLate(lab: Lab): Promise<string[]> {
  return withCql(lab.record, async (client) => {
    const { rows } = await client.execute(`SELECT id FROM ${LATE}`);
    return rows.map((r) => String(r['id'])).sort();
  });
}

/** Drops the table and makes it again under its name, with other rows. */
export async function makeAgain(lab: Lab): Promise<void> {
  await withCql(lab.record, async (client) => {
    await client.execute(`DROP TABLE ${TWICE}`);
    await client.execute(`CREATE TABLE ${TWICE} (id int PRIMARY KEY, what text)`);
    await awaitAgreement(client);
    for (const id of [2, 3]) await client.execute(`INSERT INTO ${TWICE} (id, what) VALUES (${id}, 'new')`);
  });
}

/** Its id and its rows. */
export async function readTwice(lab: Lab): Promise<{ id: string; rows: string[] }> {
  return withCql(lab.record, async (client) => {
    const [keyspace, table] = TWICE.split('.');
    const query = 'SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?';
    const found = await client.execute(query, [keyspace, table], { prepare: true });
    const { rows } = await client.execute(`SELECT id, what FROM ${TWICE}`);
    return { id: String(found.rows[0]?.['id']), rows: rows.map((r) => `${r['id']} ${r['what']}`).sort() };
  });
}

async function insertLate(client: CqlClient, id: string, us: number): Promise<void> {
  await client.execute(`INSERT INTO ${LATE} (id) VALUES (?) USING TIMESTAMP ${us}`, [id], { prepare: true });
}

async function deleteLate(client: CqlClient, id: string, us: number): Promise<void> {
  await client.execute(`DELETE FROM ${LATE} USING TIMESTAMP ${us} WHERE id = ?`, [id], { prepare: true });
}

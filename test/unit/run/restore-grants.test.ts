import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Grant } from '../../../src/drivers/cassandra/grants.ts';
import { SkepError } from '../../../src/errors.ts';
import type { SkepEvent } from '../../../src/events.ts';
import { Journal } from '../../../src/run/journal.ts';
import { grantAgain, noteGrants } from '../../../src/run/restore-grants.ts';
import type { RestoreWork } from '../../../src/run/restore-work.ts';
import { temporaryFolder } from '../support/folder.ts';

const grant = (role: string, ...permissions: string[]): Grant => ({ role, resource: 'data/thehive', permissions });

/** A cluster whose keyspace can be dropped, as far as a restore asks it about grants. */
async function scene(o: { live: Grant[]; backup: Grant[]; roles?: string[]; refuses?: RegExp }) {
  const cluster = { dropped: false, grants: [...o.live], asked: [] as string[] };
  const events: SkepEvent[] = [];
  const query = async (cql: string): Promise<Record<string, unknown>[]> => {
    cluster.asked.push(cql);
    if (o.refuses?.test(cql)) throw new SkepError('cql-failed', 'not authorized');
    if (cql.includes('role_permissions')) return cluster.grants.map((g) => ({ ...g }));
    if (cql.includes('system_auth.roles')) return (o.roles ?? ['thehive']).map((role) => ({ role }));
    if (cql.includes('system_schema.keyspaces')) return cluster.dropped ? [] : [{ keyspace_name: 'thehive' }];
    if (cql.startsWith('DESCRIBE')) return [{ type: 'keyspace', name: 'thehive', create_statement: 'CREATE' }];
    return [];
  };
  const journal = await Journal.open({
    folder: join(await temporaryFolder(), 's'),
    cluster: 'c',
    backup: 'b',
    run: 'r',
  });
  const w = {
    c: { cluster: { cassandra: { keyspace: 'thehive' } }, cql: new Map([['n1', { address: 'n1', query }]]) },
    details: { schema: { grants: o.backup } },
    journal,
    emit: (e: SkepEvent) => events.push(e),
  } as unknown as RestoreWork;
  return {
    w,
    drop: () => Object.assign(cluster, { dropped: true, grants: [] }),
    granted: () => cluster.asked.filter((a) => a.startsWith('GRANT')),
    warnings: () => events.flatMap((e) => (e.type === 'warning' ? [e.text] : [])),
  };
}

describe('a restore that drops the keyspace', () => {
  test('grants again what was granted right before, not what was at the cut', async () => {
    const s = await scene({ live: [grant('thehive', 'MODIFY', 'SELECT')], backup: [grant('thehive', 'ALTER')] });
    await noteGrants(s.w);
    s.drop();
    await grantAgain(s.w);
    expect(s.granted()).toEqual([
      'GRANT MODIFY ON KEYSPACE "thehive" TO "thehive"',
      'GRANT SELECT ON KEYSPACE "thehive" TO "thehive"',
    ]);
    expect(s.warnings()).toEqual([]);
  });

  test('grants nothing where all is still granted', async () => {
    const s = await scene({ live: [grant('thehive', 'SELECT')], backup: [] });
    await noteGrants(s.w);
    await grantAgain(s.w);
    expect(s.granted()).toEqual([]);
  });

  test('grants what was at the cut after a total loss', async () => {
    const s = await scene({ live: [], backup: [grant('thehive', 'SELECT')] });
    s.drop();
    await noteGrants(s.w);
    await grantAgain(s.w);
    expect(s.granted()).toEqual(['GRANT SELECT ON KEYSPACE "thehive" TO "thehive"']);
  });

  test('tells the statement that it cannot carry out, and goes on', async () => {
    const live = [grant('gone', 'SELECT'), grant('thehive', 'SELECT')];
    const s = await scene({ live, backup: [], refuses: /^GRANT/ });
    await noteGrants(s.w);
    s.drop();
    await grantAgain(s.w);
    expect(s.warnings()).toEqual([
      'not granted again: GRANT SELECT ON KEYSPACE "thehive" TO "gone" (there is no role gone)',
      'not granted again: GRANT SELECT ON KEYSPACE "thehive" TO "thehive" (not authorized)',
    ]);
  });

  test('tells it too when nobody may read who is granted what, and takes what was at the cut', async () => {
    const s = await scene({ live: [], backup: [grant('thehive', 'SELECT')], refuses: /role_permissions/ });
    await noteGrants(s.w);
    s.drop();
    await grantAgain(s.w);
    expect(s.warnings()).toEqual([
      expect.stringContaining('those of the backup are taken'),
      expect.stringContaining('not granted again: GRANT SELECT'),
    ]);
  });
});

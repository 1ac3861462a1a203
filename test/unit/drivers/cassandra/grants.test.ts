import { describe, expect, test } from 'vitest';
import type { Cql } from '../../../../src/drivers/cassandra/cql.ts';
import { grantStatements, missingGrants, readGrants } from '../../../../src/drivers/cassandra/grants.ts';

function cqlWith(rows: Record<string, unknown>[]): Cql {
  return { address: 'n1', query: async () => rows, close: async () => {} };
}

describe('what is granted on a keyspace', () => {
  test('is all of the keyspace and of what is in it, and nothing of another that begins alike', async () => {
    const rows = [
      { role: 'thehive', resource: 'data/thehive', permissions: ['SELECT', 'MODIFY'] },
      { role: 'reader', resource: 'data/thehive/edgestore', permissions: ['SELECT'] },
      { role: 'reader', resource: 'functions/thehive', permissions: ['EXECUTE'] },
      { role: 'other', resource: 'data/thehive2', permissions: ['SELECT'] },
      { role: 'all', resource: 'data', permissions: ['SELECT'] },
      { role: 'admin', resource: 'roles/thehive', permissions: ['ALTER'] },
    ];
    expect(await readGrants(cqlWith(rows), 'thehive')).toEqual([
      { role: 'reader', resource: 'data/thehive/edgestore', permissions: ['SELECT'] },
      { role: 'reader', resource: 'functions/thehive', permissions: ['EXECUTE'] },
      { role: 'thehive', resource: 'data/thehive', permissions: ['MODIFY', 'SELECT'] },
    ]);
  });

  test('lacks only the permissions that are not there', () => {
    const wanted = [
      { role: 'a', resource: 'data/ks', permissions: ['MODIFY', 'SELECT'] },
      { role: 'b', resource: 'data/ks', permissions: ['SELECT'] },
    ];
    expect(missingGrants(wanted, [])).toEqual(wanted);
    expect(missingGrants(wanted, wanted)).toEqual([]);
    expect(missingGrants(wanted, [{ role: 'a', resource: 'data/ks', permissions: ['SELECT'] }, wanted[1]!])).toEqual([
      { role: 'a', resource: 'data/ks', permissions: ['MODIFY'] },
    ]);
  });

  test.each([
    ['data/ks', 'KEYSPACE "ks"'],
    ['data/ks/*', 'ALL TABLES IN KEYSPACE "ks"'],
    ['data/ks/Tab', 'TABLE "ks"."Tab"'],
    ['functions/ks', 'ALL FUNCTIONS IN KEYSPACE "ks"'],
  ])('is granted again on %s', (resource, on) => {
    const g = { role: 'O"Neill', resource, permissions: ['SELECT', 'MODIFY'] };
    expect(grantStatements(g)).toEqual([`GRANT SELECT ON ${on} TO "O""Neill"`, `GRANT MODIFY ON ${on} TO "O""Neill"`]);
  });

  test('on a single function is not', () => {
    expect(
      grantStatements({ role: 'r', resource: 'functions/ks/f[Int32Type]', permissions: ['EXECUTE'] }),
    ).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planSchema, splitStatements } from '../../../../src/drivers/cassandra/schema-diff.ts';
import type { Statement } from '../../../../src/drivers/cassandra/schema.ts';

const table = (cql: string): Statement => ({ type: 'table', name: 't', cql });
const CREATE =
  "CREATE TABLE thehive.t (\n    key blob PRIMARY KEY\n) WITH ID = 5a1c395e-b41f-11e5-9f22-ba0be0483c18\n    AND comment = 'a  b'\n    AND gc_grace_seconds = 864000;";

describe('the plan for a schema', () => {
  test('keeps one that differs in its grace period alone, or in the order of statements', () => {
    const live = table(CREATE.replace('864000', '315360000'));
    expect(planSchema([live], [table(CREATE)])).toBe('keep');
    expect(planSchema([table('B'), table('A')], [table('A'), table('B')])).toBe('keep');
  });

  test('makes one that is not there', () => {
    expect(planSchema([], [table(CREATE)])).toBe('create');
  });

  test('replaces one that differs in anything else', () => {
    const others = [
      CREATE.replace('5a1c395e', '5a1c395f'),
      CREATE.replace('blob', 'text'),
      CREATE.replace('a  b', 'a b'),
      CREATE.replace("'a  b'", "'gc_grace_seconds = 5'"),
      CREATE.replace('AND comment', 'AND default_time_to_live = 1 AND comment'),
    ];
    for (const cql of others) expect(planSchema([table(cql)], [table(CREATE)])).toBe('replace');
    expect(planSchema([table(CREATE), table('x')], [table(CREATE)])).toBe('replace');
    expect(planSchema([table(CREATE)], [table(CREATE), table('x')])).toBe('replace');
  });
});

describe('statements', () => {
  test('are split where a semicolon ends them, not inside names, texts and bodies', () => {
    expect(
      splitStatements(
        "CREATE TABLE t (a int) WITH comment = 'a;b''c;';\n\nALTER TABLE t DROP \"x;y\" USING TIMESTAMP 5;\n",
      ),
    ).toEqual(["CREATE TABLE t (a int) WITH comment = 'a;b''c;'", 'ALTER TABLE t DROP "x;y" USING TIMESTAMP 5']);
    expect(splitStatements("CREATE FUNCTION f() AS $$ a; 'b; $$; B")).toEqual([
      "CREATE FUNCTION f() AS $$ a; 'b; $$",
      'B',
    ]);
    expect(splitStatements(' ; ;; ')).toEqual([]);
  });

  test('of any texts come apart as they were put together', () => {
    const text = fc.string().map((s) => `'${s.replaceAll("'", "''")}'`);
    const name = fc.string().map((s) => `"${s.replaceAll('"', '""')}"`);
    const body = fc
      .string()
      .filter((s) => !s.includes('$'))
      .map((s) => `$$${s}$$`);
    const statement = fc.array(fc.oneof(text, name, body), { minLength: 1 }).map((parts) => `X ${parts.join(' ')}`);
    fc.assert(
      fc.property(fc.array(statement), (statements) => {
        expect(splitStatements(statements.join(';\n'))).toEqual(statements);
      }),
    );
  });
});

import { describe, expect, test } from 'vitest';
import { foreignTableIds, narrowSchema, parseTableSchemas } from '../../../src/commitlog/index.ts';
import { codeOf } from './code-of.ts';
import { rowsOf } from './fixtures.ts';

describe('the schema', () => {
  test('has clustering lengths in their order, static, regular and dropped columns', () => {
    const tables = [...parseTableSchemas(rowsOf('4.1.10')).values()];
    const named = (name: string) => tables.find((t) => t.keyspace === 'shapes' && t.table === name);
    expect(named('clustered')?.clustering).toEqual([4, -1, 16, -1, 8]);
    expect([...(named('clustered')?.columns.keys() ?? [])].sort()).toEqual(['s', 'sm', 'v', 'w']);
    expect(named('dropping')?.columns.get('gone')).toEqual({ fixed: 4, complex: false });
    expect(named('dropping')?.columns.get('gone_list')).toEqual({ fixed: -1, complex: true });
    expect(named('dropping')?.columns.get('gone_type')).toEqual({ fixed: -1, complex: false });
    expect(named('counts')?.counter).toBe(true);
    expect(named('graph')?.counter).toBe(false);
  });

  test('of some keyspaces leaves the ids of the others as foreign', () => {
    const rows = rowsOf('4.1.10');
    const ours = new Set(['shapes']);
    const schema = parseTableSchemas(rows, ours);
    const foreign = foreignTableIds(rows, ours);
    expect(new Set([...schema.values()].map((t) => t.keyspace))).toEqual(ours);
    expect(schema.size + foreign.size).toBe(rows.tables.length);
    expect([...schema.keys()].filter((id) => foreign.has(id))).toEqual([]);
  });

  test('that is kept through JSON, narrowed to some keyspaces, says the same', () => {
    const rows = rowsOf('5.0.6');
    const ours = new Set(['shapes']);
    const kept: unknown = JSON.parse(JSON.stringify(narrowSchema(rows, ours)));
    expect(parseTableSchemas(kept, ours)).toEqual(parseTableSchemas(rows, ours));
    expect(foreignTableIds(kept, ours)).toEqual(foreignTableIds(rows, ours));
    expect(JSON.stringify(kept).length).toBeLessThan(JSON.stringify(rows).length);
  });

  test('of a view is that of a table, and a table without rows of columns has none', () => {
    const id = '00000000-0000-4000-8000-000000000001';
    const found = parseTableSchemas({
      tables: [],
      views: [{ keyspace_name: 'ks', view_name: 'v', id }],
      columns: [{ keyspace_name: 'ks', table_name: 'v', column_name: 'é', kind: 'regular', position: -1, type: 'int' }],
    });
    expect(found.get(id)?.columns.get('\u00c3\u00a9')).toEqual({ fixed: 4, complex: false });
  });

  test('with a super column family, or of malformed rows, is refused', () => {
    const row = { keyspace_name: 'ks', table_name: 't', id: '00000000-0000-4000-8000-000000000001' };
    expect(codeOf(() => parseTableSchemas({ tables: [{ ...row, flags: ['super'] }], columns: [] }))).toBe(
      'segment-unsupported',
    );
    expect(codeOf(() => parseTableSchemas({ tables: [{ ...row, id: 5 }], columns: [] }))).toBe(
      'segment-schema-mismatch',
    );
    expect(codeOf(() => parseTableSchemas(null))).toBe('segment-schema-mismatch');
  });
});

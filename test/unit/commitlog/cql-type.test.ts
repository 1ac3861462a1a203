import { describe, expect, test } from 'vitest';
import { valueShape } from '../../../src/commitlog/cql-type.ts';
import { codeOf } from './code-of.ts';

const TYPES = new Set(['address', 'Quoted "Type"']);

describe('the shape of a value', () => {
  test.each([
    ['int', 4, false],
    ['timeuuid', 16, false],
    ['boolean', 1, false],
    ['empty', 0, false],
    ['smallint', -1, false],
    ['date', -1, false],
    ['text', -1, false],
    ['counter', -1, false],
    ['list<int>', -1, true],
    ['map<text, frozen<set<uuid>>>', -1, true],
    ['frozen<list<int>>', -1, false],
    ['frozen<map<text, frozen<tuple<int, address>>>>', -1, false],
    ['tuple<int, text>', -1, false],
    ['address', -1, true],
    ['frozen<address>', -1, false],
    ['frozen<"Quoted ""Type""">', -1, false],
    ['vector<float, 3>', 12, false],
    ['vector<text, 3>', -1, false],
    ['vector<vector<bigint, 2>, 3>', 48, false],
    ["'org.apache.cassandra.db.marshal.LexicalUUIDType'", 16, false],
    ["'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>org.apache.cassandra.db.marshal.BytesType)'", -1, false],
  ])('of %s is known', (type, fixed, complex) => {
    expect(valueShape(type, TYPES)).toEqual({ fixed, complex });
  });

  test.each([
    '',
    'point',
    'list<int',
    'list<int>>',
    'vector<int, x>',
    'constructor',
    'vector<int>',
    "'com.example.T'",
    'int int',
    'a-b',
  ])('of "%s" is refused', (type) => {
    expect(codeOf(() => valueShape(type, TYPES))).toBe('segment-unsupported');
  });
});

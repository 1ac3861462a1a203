import { describe, expect, test } from 'vitest';
import type { ScannedVertex } from '../../../../lab/proof/graph-reader.ts';
import { checkIndex, documentId, indexedFields } from '../../../../lab/proof/index-check.ts';

const FIELDS = indexedFields({
  settings: { index: {} },
  aliases: {},
  mappings: {
    properties: {
      all: { type: 'text' },
      title: { type: 'text' },
      title__STRING: { type: 'keyword' },
      tags: { type: 'keyword' },
      createdAt: { type: 'date' },
      ioc: { type: 'boolean' },
    },
  },
});
const MOMENT = Date.parse('2026-11-23T01:21:47.706Z');
const VERTEX: ScannedVertex = {
  id: '4280',
  label: 'Case',
  properties: [
    ['uid', 'not indexed'],
    ['title', 'a'],
    ['tags', 'x'],
    ['tags', 'y'],
    ['createdAt', MOMENT],
    ['ioc', true],
  ],
  outEdges: [],
  inEdges: [],
};
const DOCUMENT = {
  title: 'a',
  title__STRING: 'a',
  tags: ['y', 'x'],
  createdAt: '2026-11-23T01:21:47.706+00:00',
  ioc: true,
};

function check(documents: Record<string, object[]>): Record<string, number> {
  const all = new Map(Object.entries(documents)) as Map<string, Record<string, unknown>[]>;
  const { ghosts, missing, stale } = checkIndex([VERTEX], all, FIELDS);
  return { ghosts: ghosts.length, missing: missing.length, stale: stale.length };
}

test('documents are named by the id of their vertex in base 36', () => {
  expect(documentId('4280')).toBe('3aw');
});

describe('an index entry', () => {
  test('that says what the graph says is fine, whatever the order of a set and the form of a date', () => {
    expect(check({ '3aw': [DOCUMENT] })).toEqual({ ghosts: 0, missing: 0, stale: 0 });
  });

  test.each([
    ['another value', { ...DOCUMENT, title__STRING: 'b' }],
    ['a value less', { ...DOCUMENT, ioc: undefined }],
    ['a field that the graph lacks', { ...DOCUMENT, message: 'm' }],
    ['a member less', { ...DOCUMENT, tags: ['x'] }],
    ['another date', { ...DOCUMENT, createdAt: '2026-11-23T01:21:47.707+00:00' }],
  ])('with %s is stale', (_name, document) => {
    expect(check({ '3aw': [document] })).toEqual({ ghosts: 0, missing: 0, stale: 1 });
  });

  test('that is not there is missing, and one without vertex is a ghost', () => {
    expect(check({ zz: [DOCUMENT] })).toEqual({ ghosts: 1, missing: 1, stale: 0 });
  });

  test('that is there twice is a ghost', () => {
    expect(check({ '3aw': [DOCUMENT, DOCUMENT] })).toEqual({ ghosts: 1, missing: 0, stale: 0 });
  });
});

import { describe, expect, test } from 'vitest';
import type { Search } from '../../../src/drivers/elasticsearch/client.ts';
import type { IndexState, SearchState } from '../../../src/drivers/elasticsearch/indices.ts';
import { checkAlone, keepOnly, shapeChange } from '../../../src/run/capture-search.ts';
import type { Connections } from '../../../src/run/connections.ts';

/** An Elasticsearch that has but snapshots in its staging repository. */
function staging(...names: string[]): { c: Connections; names: string[] } {
  const search = {
    async request(method: string, path: string) {
      const name = path.split('/').at(-1) as string;
      if (method === 'GET') return { snapshots: names.map((snapshot) => ({ snapshot })) };
      names.splice(names.indexOf(name), 1);
      return {};
    },
  } as unknown as Search;
  return { c: { search } as Connections, names };
}

describe('the staging repository', () => {
  test('keeps the snapshot of this backup alone, and those that are not of skep', async () => {
    const { c, names } = staging('skep-old-1-1', 'skep-new-1-1', 'by-hand');
    await keepOnly(c, 'skep-new-1-1');
    expect(names).toEqual(['skep-new-1-1', 'by-hand']);
    await checkAlone(c, 'skep-new-1-1');
  });

  test('from which another run has taken this snapshot, or to which it has written, is refused', async () => {
    await expect(keepOnly(staging('skep-other-1-1').c, 'skep-new-1-1')).rejects.toMatchObject({
      code: 'snapshot-failed',
    });
    await expect(checkAlone(staging('skep-new-1-1', 'skep-other-1-1').c, 'skep-new-1-1')).rejects.toMatchObject({
      code: 'snapshot-failed',
    });
  });
});

describe('the shape of the indices', () => {
  const index = (name: string, more: Partial<IndexState> = {}): IndexState => ({
    name,
    uuid: name,
    settings: { number_of_shards: '1' },
    mappings: {},
    aliases: {},
    docs: 1,
    seqNo: { 0: 1 },
    ...more,
  });
  const state = (indices: IndexState[], audits: IndexState[]): SearchState => ({
    version: '7.17.29',
    clusterUuid: 'x',
    indices,
    audits,
    templates: {},
    policies: {},
  });
  const was = state([index('global')], [index('audits-1')]);

  test('is the same when only documents came', () => {
    const more = index('audits-1', { docs: 9, seqNo: { 0: 99 } });
    expect(shapeChange(was, state([index('global')], [more]))).toBeUndefined();
  });

  test.each([
    ['a rollover has made an index', state([index('global')], [index('audits-1'), index('audits-2')]), 'audits-2'],
    ['an index was deleted', state([index('global')], []), 'audits-1'],
    ['it was made anew', state([index('global', { uuid: 'other' })], [index('audits-1')]), 'global'],
    ['a field came', state([index('global', { mappings: { properties: {} } })], [index('audits-1')]), 'global'],
    ['an alias moved', state([index('global')], [index('audits-1', { aliases: { a: {} } })]), 'audits-1'],
  ])('has changed when %s', (_why, is, name) => {
    expect(shapeChange(was, is)).toBe(name);
  });
});

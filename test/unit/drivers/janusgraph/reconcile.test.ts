import { describe, expect, test } from 'vitest';
import type { Graph } from '../../../../src/drivers/janusgraph/client.ts';
import { closeStaleInstances, reconcile } from '../../../../src/drivers/janusgraph/reconcile.ts';
import { fakeSearch, status } from '../elasticsearch/fake-search.ts';

/** An index of documents that can be scrolled and deleted from, two at a time. */
function index(ids: string[], o: { refuse?: boolean } = {}) {
  const left = new Set(ids);
  let pages: string[][] = [];
  const page = () => ({ _scroll_id: 's', hits: { hits: (pages.shift() ?? []).map((_id) => ({ _id })) } });
  const search = fakeSearch(({ method, path, ndjson }) => {
    if (path.endsWith('/_count')) return { count: left.size };
    if (path.endsWith('/_search')) {
      pages = [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)];
      return page();
    }
    if (path === '/_search/scroll') return method === 'DELETE' ? {} : page();
    if (path !== '/_bulk') return {};
    if (o.refuse) throw status(503);
    for (const d of ndjson as { delete: { _id: string } }[]) left.delete(d.delete._id);
    return { errors: false, items: [] };
  });
  return {
    search,
    left: () => [...left],
    scrollsClosed: () => search.asked.filter((a) => a.method === 'DELETE').length,
  };
}

/** A graph with these vertices that says it wrote so many documents again. */
function graph(vertices: string[], adds: string[] = ['0']): Graph & { bindings: unknown[] } {
  const bindings: unknown[] = [];
  return {
    bindings,
    isOpen: true,
    async run(script, b) {
      bindings.push(b);
      if (script.includes('g.V()')) return vertices;
      return script.includes('REINDEX') ? adds : ['2'];
    },
    close: () => {},
  };
}

describe('reconciling the index with the graph', () => {
  test('removes the documents that have no vertex, over all pages, and no other', async () => {
    const i = index(['a', 'ghost 1', 'b', 'c', 'ghost 2']);
    const g = graph(['a', 'b', 'c', 'not indexed'], ['4']);
    expect(await reconcile(g, i.search, 'thehive_global', 'global')).toEqual({ vertices: 4, ghosts: 2, reindexed: 4 });
    expect(i.left()).toEqual(['a', 'b', 'c']);
    expect(g.bindings.at(-1)).toEqual({ mixedIndex: 'global' });
    expect(i.scrollsClosed()).toBe(1);
  });

  test('asks for whole answers, not for those of the shards that are up', async () => {
    const i = index(['a']);
    await reconcile(graph(['a']), i.search, 'x', 'global');
    expect(i.search.asked.find((a) => a.path === '/x/_search')?.query).toMatchObject({
      allow_partial_search_results: false,
    });
  });

  test('does not empty an index because the graph shows no vertex', async () => {
    const i = index(['a', 'b']);
    await expect(reconcile(graph([]), i.search, 'x', 'global')).rejects.toMatchObject({
      code: 'restore-failed',
      hint: expect.stringContaining('index.janusgraph.url'),
      context: { documents: 2 },
    });
    expect(i.left()).toEqual(['a', 'b']);
    expect(await reconcile(graph([]), index([]).search, 'x', 'global')).toMatchObject({ vertices: 0, ghosts: 0 });
  });

  test('that fails gives the scroll back', async () => {
    const i = index(['ghost'], { refuse: true });
    await expect(reconcile(graph(['a']), i.search, 'x', 'global')).rejects.toMatchObject({
      code: 'elasticsearch-failed',
    });
    expect(i.scrollsClosed()).toBe(1);
  });

  test('closes the instances that had registered by the cut, in the milliseconds that JanusGraph keeps', async () => {
    const g = graph([]);
    expect(await closeStaleInstances(g, 1_795_400_000_123_457n)).toBe(2);
    expect(g.bindings).toEqual([{ cutMs: '1795400000123' }]);
  });
});

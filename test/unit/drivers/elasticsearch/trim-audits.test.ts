import { describe, expect, test } from 'vitest';
import { trimAudits } from '../../../../src/drivers/elasticsearch/trim-audits.ts';
import { fakeSearch } from './fake-search.ts';

const T = 1_795_400_000_000_501n;

interface Audit {
  id: string;
  createdAt: number;
}

/** An index of audits that can be searched by time and deleted from, a page at a time. */
function auditIndex(audits: Audit[], o: { page?: number; refuse?: string } = {}) {
  let there = [...audits];
  const search = fakeSearch(({ path, body, ndjson }) => {
    if (path.endsWith('/_search')) {
      const { gt } = (body as { query: { range: { createdAt: { gt: number } } } }).query.range.createdAt;
      const hits = there.filter((a) => a.createdAt > gt).slice(0, o.page ?? 500);
      return { hits: { hits: hits.map((a) => ({ _id: a.id, _index: 'audits-1', _source: a })) } };
    }
    if (path !== '/_bulk') return {};
    const ids = new Set((ndjson as { delete: { _id: string; _index: string } }[]).map((d) => d.delete._id));
    if (o.refuse) return { errors: true, items: [{ delete: {} }, { delete: { error: { reason: o.refuse } } }] };
    there = there.filter((a) => !ids.has(a.id));
    return { errors: false, items: [] };
  });
  return { search, left: () => there.map((a) => a.id) };
}

describe('trimming audits', () => {
  test('takes those made after T out, batch by batch, each kept before it is deleted', async () => {
    const ms = Number(T / 1000n);
    const index = auditIndex(
      [
        { id: 'old', createdAt: ms - 1 },
        { id: 'same ms', createdAt: ms },
        ...[1, 2, 3, 4, 5].map((n) => ({ id: `late ${n}`, createdAt: ms + n })),
      ],
      { page: 2 },
    );
    const kept: string[] = [];
    const trimmed = await trimAudits(index.search, 'audits', 'createdAt', T, async (entries) => {
      for (const e of entries) {
        expect(index.left()).toContain(e.id);
        expect(e).toEqual({ index: 'audits-1', id: e.id, source: { id: e.id, createdAt: expect.any(Number) } });
        kept.push(e.id);
      }
    });
    expect(trimmed).toBe(5);
    expect(kept).toEqual(['late 1', 'late 2', 'late 3', 'late 4', 'late 5']);
    expect(index.left()).toEqual(['old', 'same ms']);
    expect(await trimAudits(index.search, 'audits', 'createdAt', T, () => Promise.reject(new Error('none left')))).toBe(
      0,
    );
  });

  test('asks for the whole answer, not for that of the shards that are up', async () => {
    const index = auditIndex([]);
    await trimAudits(index.search, 'audits', 'createdAt', T, async () => {});
    expect(index.search.asked.find((a) => a.path.endsWith('_search'))?.query).toEqual({
      allow_partial_search_results: false,
    });
  });

  test('deletes nothing that could not be kept', async () => {
    const index = auditIndex([{ id: 'late', createdAt: Number(T / 1000n) + 1 }]);
    await expect(
      trimAudits(index.search, 'audits', 'createdAt', T, () => Promise.reject(new Error('disk full'))),
    ).rejects.toThrow('disk full');
    expect(index.left()).toEqual(['late']);
  });

  test('fails when an entry cannot be deleted', async () => {
    const index = auditIndex([{ id: 'late', createdAt: Number(T / 1000n) + 1 }], { refuse: 'read-only' });
    await expect(trimAudits(index.search, 'audits', 'createdAt', T, async () => {})).rejects.toMatchObject({
      code: 'elasticsearch-failed',
      message: expect.stringContaining('read-only'),
    });
  });
});

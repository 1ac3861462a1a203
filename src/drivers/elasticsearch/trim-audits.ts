import type { Search } from './client.ts';
import { deleteDocuments } from './delete-documents.ts';

const BATCH = 500;

interface Hit {
  _id: string;
  _index: string;
  _source: Record<string, unknown>;
}

/**
 * Takes the audit entries that were made after `T` out of an index; each batch is handed to `keep` before it is
 * deleted. Returns how many. May be repeated.
 */
export async function trimAudits(
  search: Search,
  index: string,
  timeField: string,
  T: bigint,
  keep: (entries: { index: string; id: string; source: Record<string, unknown> }[]) => Promise<void>,
): Promise<number> {
  let trimmed = 0;
  for (;;) {
    await search.request('POST', `/${index}/_refresh`);
    const page = await search.request<{ hits: { hits: Hit[] } }>('POST', `/${index}/_search`, {
      // An answer without the shards that are down would look like the end.
      query: { allow_partial_search_results: false },
      body: {
        size: BATCH,
        query: { range: { [timeField]: { gt: Number(T / 1000n), format: 'epoch_millis' } } },
      },
    });
    const { hits } = page.hits;
    if (hits.length === 0) return trimmed;
    await keep(hits.map((h) => ({ index: h._index, id: h._id, source: h._source })));
    await deleteDocuments(
      search,
      hits.map((h) => ({ index: h._index, id: h._id })),
    );
    trimmed += hits.length;
  }
}

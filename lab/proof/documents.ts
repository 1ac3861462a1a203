import { z } from 'zod';
import type { SearchClient } from '../load/search-client.ts';

const PAGE = 2000;

const pageSchema = z.object({
  _scroll_id: z.string(),
  _shards: z.object({ failed: z.number() }),
  hits: z.object({ hits: z.array(z.object({ _id: z.string(), _source: z.record(z.string(), z.unknown()) })) }),
});

export type Document = Record<string, unknown>;

/** Every document behind a name or alias, by id; a scroll, because point-in-time readers are not among the lab's jars. */
export async function readDocuments(search: SearchClient, name: string): Promise<Map<string, Document[]>> {
  const documents = new Map<string, Document[]>();
  if ((await search.find(`/${name}/_settings`)) === undefined) return documents;
  await search.request('POST', `/${name}/_refresh`);
  let page = pageSchema.parse(
    await search.request('POST', `/${name}/_search?scroll=2m`, {
      size: PAGE,
      sort: ['_doc'],
      query: { match_all: {} },
    }),
  );
  while (page.hits.hits.length > 0) {
    if (page._shards.failed > 0) throw new Error(`shards of ${name} failed during the read`);
    for (const { _id, _source } of page.hits.hits) documents.set(_id, [...(documents.get(_id) ?? []), _source]);
    page = pageSchema.parse(
      await search.request('POST', '/_search/scroll', { scroll: '2m', scroll_id: page._scroll_id }),
    );
  }
  await search.request('DELETE', '/_search/scroll', { scroll_id: page._scroll_id });
  return documents;
}

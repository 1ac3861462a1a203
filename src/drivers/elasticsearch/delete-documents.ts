import { SkepError } from '../../errors.ts';
import type { Search } from './client.ts';

/** Deletes documents by index and id; absent ones are no error. Error: `elasticsearch-failed` with the first reason. */
export async function deleteDocuments(
  search: Search,
  documents: readonly { index: string; id: string }[],
): Promise<void> {
  const r = await search.request<{ errors: boolean; items: { delete: { error?: { reason: string } } }[] }>(
    'POST',
    '/_bulk',
    { ndjson: documents.map((d) => ({ delete: { _index: d.index, _id: d.id } })) },
  );
  const bad = r.errors ? r.items.find((i) => i.delete.error) : undefined;
  if (bad) throw new SkepError('elasticsearch-failed', `cannot delete a document: ${bad.delete.error?.reason}`);
}

import { z } from 'zod';
import { type Search, statusOf } from './client.ts';
import { namesOf, readTemplates } from './templates.ts';

/** What is needed to make an index again exactly as it was. */
export const indexStateSchema = z.object({
  name: z.string(),
  uuid: z.string(),
  settings: z.record(z.string(), z.json()),
  mappings: z.record(z.string(), z.json()),
  aliases: z.record(z.string(), z.json()),
  docs: z.number(),
  /** For each shard number: the highest sequence number that was given out. */
  seqNo: z.record(z.string(), z.number()),
});
export type IndexState = z.output<typeof indexStateSchema>;

export const searchStateSchema = z.object({
  version: z.string(),
  clusterUuid: z.string(),
  indices: z.array(indexStateSchema),
  audits: z.array(indexStateSchema),
  /** Templates that shape the next index of TheHive (after a rollover, a reindex), as `KIND:NAME`; lifecycle policies by name. */
  templates: z.record(z.string(), z.json()),
  policies: z.record(z.string(), z.json()),
});
export type SearchState = z.output<typeof searchStateSchema>;

type Json = z.core.util.JSONType;

interface RawIndex {
  settings: { index: Record<string, Json> & { uuid: string } };
  mappings: Record<string, Json>;
  aliases: Record<string, Json>;
}

interface RawShard {
  routing: { primary: boolean };
  seq_no?: { max_seq_no: number };
}

/**
 * Closed indices behind names, aliases or patterns, sorted: a snapshot by pattern leaves them out without a word. Told by
 * their state: an alias resolves to its open indices whatever `expand_wildcards` asks for.
 */
export async function closedIndices(search: Search, patterns: readonly string[]): Promise<string[]> {
  const names = patterns.map(encodeURIComponent).join();
  const { metadata } = await search.request<{ metadata?: { indices?: Record<string, { state: string }> } }>(
    'GET',
    `/_cluster/state/metadata/${names}`,
    { query: { expand_wildcards: 'all', ignore_unavailable: true, filter_path: 'metadata.indices.*.state' } },
  );
  const found = Object.entries(metadata?.indices ?? {});
  return found.flatMap(([name, { state }]) => (state === 'close' ? [name] : [])).sort();
}

/** The open indices behind a name, an alias or a pattern, hidden ones as well; empty when there are none. */
export async function readIndices(search: Search, pattern: string): Promise<IndexState[]> {
  const query = { expand_wildcards: 'open,hidden', ignore_unavailable: true };
  const raw = await search.request<Record<string, RawIndex>>('GET', `/${encodeURIComponent(pattern)}`, { query });
  const names = Object.keys(raw).sort();
  const states: IndexState[] = [];
  for (const name of names) {
    const index = raw[name] as RawIndex;
    const { docs, seqNo } = await readShards(search, name);
    states.push({
      name,
      uuid: index.settings.index.uuid,
      settings: index.settings.index,
      mappings: index.mappings,
      aliases: index.aliases,
      docs,
      seqNo,
    });
  }
  return states;
}

async function readShards(search: Search, name: string): Promise<{ docs: number; seqNo: Record<string, number> }> {
  const stats = await search.request<{
    _all: { primaries: { docs?: { count: number } } };
    indices: Record<string, { shards?: Record<string, RawShard[]> }>;
  }>('GET', `/${encodeURIComponent(name)}/_stats`, { query: { level: 'shards' } });
  const seqNo: Record<string, number> = {};
  for (const [shard, copies] of Object.entries(stats.indices[name]?.shards ?? {})) {
    seqNo[shard] = copies.find((c) => c.routing.primary)?.seq_no?.max_seq_no ?? -1;
  }
  return { docs: stats._all.primaries.docs?.count ?? 0, seqNo };
}

/** Everything that a restore needs to know of Elasticsearch beside the documents. */
export async function readSearchState(search: Search, index: string, audits: string): Promise<SearchState> {
  const info = await search.request<{ version: { number: string }; cluster_uuid: string }>('GET', '/');
  const auditIndices = await readIndices(search, audits);
  const indices = await readIndices(search, index);
  return {
    version: info.version.number,
    clusterUuid: info.cluster_uuid,
    indices,
    audits: auditIndices,
    templates: await readTemplates(search, namesOf([index, audits], [...indices, ...auditIndices])),
    policies: await readPolicies(search, auditIndices),
  };
}

async function readPolicies(search: Search, audits: readonly IndexState[]): Promise<Record<string, Json>> {
  const out: Record<string, Json> = {};
  for (const index of audits) {
    const name = (index.settings.lifecycle as { name?: string } | undefined)?.name;
    if (!name || out[name]) continue;
    try {
      const raw = await search.request<Record<string, { policy: Json }>>(
        'GET',
        `/_ilm/policy/${encodeURIComponent(name)}`,
      );
      if (raw[name]) out[name] = raw[name].policy;
    } catch (e) {
      // 400 and 404: this cluster has no lifecycle management, or not this policy.
      if (statusOf(e) !== 400 && statusOf(e) !== 404) throw e;
    }
  }
  return out;
}

import { z } from 'zod';
import { AUDITS } from './audits.ts';
import type { SearchClient } from './search-client.ts';

/** JanusGraph's mixed index `global` in the application's index-name prefix. */
export const GLOBAL = 'thehive_global';

const indexSchema = z.object({
  settings: z.object({ index: z.record(z.string(), z.unknown()) }),
  mappings: z.record(z.string(), z.unknown()),
  aliases: z.record(z.string(), z.unknown()),
});
const templatesSchema = z.object({ index_templates: z.array(z.object({ index_template: z.unknown() })) });
export const shapesSchema = z.object({
  global: z.array(indexSchema),
  audits: z.array(indexSchema),
  /** The audits' own template: without it the next index after a rollover has another mapping. */
  template: z.unknown(),
});

/** Settings, mapping and aliases of the indices behind `thehive_global` and `thehive-audits`, and the audits' template. */
export type IndexShapes = z.infer<typeof shapesSchema>;

/** What every index gets anew when it is made or restored, and says nothing about how it behaves. */
const IDENTITY = ['uuid', 'creation_date', 'provided_name', 'version', 'history', 'resize', 'history_uuid'];

/** Reads the shapes as they are now; an index that is not there is missing from the list. */
export async function readIndexShapes(search: SearchClient): Promise<IndexShapes> {
  const found = await search.find(`/_index_template/${AUDITS}`);
  const template = found === undefined ? null : templatesSchema.parse(found).index_templates[0]?.index_template;
  return { global: await shapesOf(search, GLOBAL), audits: await shapesOf(search, AUDITS), template };
}

async function shapesOf(search: SearchClient, name: string): Promise<IndexShapes['global']> {
  const answer = (await search.find(`/${name}`)) ?? {};
  const indices = z.record(z.string(), indexSchema).parse(answer);
  return Object.keys(indices)
    .sort()
    .map((index) => withoutIdentity(indexSchema.parse(indices[index])));
}

function withoutIdentity(shape: z.infer<typeof indexSchema>): z.infer<typeof indexSchema> {
  const kept = Object.entries(shape.settings.index).filter(([key]) => !IDENTITY.includes(key));
  return { ...shape, settings: { index: Object.fromEntries(kept) } };
}

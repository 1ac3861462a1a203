import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SkepError } from '../../src/errors.ts';
import type { GremlinClient } from '../load/gremlin-client.ts';
import type { Value } from '../ledger/model.ts';

/** JanusGraph takes at most 255 ids in one call. */
const ROWS = 250;
const LOOKUPS = 500;
/** Requests at once: more than the two or three that keep two cores busy gain nothing. */
const PARALLEL = 3;

const edgeSchema = z.tuple([z.string().nullable(), z.string(), z.string()]);
const vertexSchema = z.object({
  id: z.string(),
  label: z.string(),
  properties: z.array(z.tuple([z.string(), z.union([z.string(), z.number(), z.boolean()])])),
  outEdges: z.array(edgeSchema),
  inEdges: z.array(edgeSchema),
});

/** A vertex as the graph holds it. Edges are `[eid, label, id of the other end]`, each side as this vertex's row has it. */
export type ScannedVertex = z.infer<typeof vertexSchema>;

const idsSchema = z.array(z.string());
const lookupSchema = z.array(z.array(z.string()));

/** Reads every vertex by a full scan, in bounded batches. The graph must be quiet: a vertex that vanishes is an error. */
export async function scanGraph(gremlin: GremlinClient): Promise<ScannedVertex[]> {
  const ids = idsSchema.parse(one(await gremlin.submit(script('ids'), {}, 300_000)));
  const vertices: ScannedVertex[] = [];
  await inBatches(ids, ROWS, async (batch) => {
    const answer = await gremlin.submit(script('rows'), { body: JSON.stringify(batch) });
    const rows = z.array(vertexSchema).parse(one(answer));
    if (rows.length !== batch.length) {
      const got = new Set(rows.map((row) => row.id));
      const gone = batch.filter((id) => !got.has(id)).slice(0, 5);
      throw new SkepError('janusgraph-failed', 'vertices of the scan cannot be read', { context: { gone } });
    }
    vertices.push(...rows);
  });
  return vertices;
}

/** What the composite index on `key` gives for each value: vertex ids, one list a value in the order of the values. */
export async function lookUp(gremlin: GremlinClient, key: string, values: readonly Value[]): Promise<string[][]> {
  const found: string[][] = [];
  await inBatches(values, LOOKUPS, async (batch, at) => {
    const answer = await gremlin.submit(script('lookup'), { indexed: key, body: JSON.stringify(batch) });
    const lists = lookupSchema.parse(one(answer));
    if (lists.length !== batch.length) throw new SkepError('janusgraph-failed', 'a batch of lookups came back short');
    lists.forEach((ids, i) => (found[at + i] = ids));
  });
  return found;
}

async function inBatches<T>(
  items: readonly T[],
  size: number,
  run: (batch: T[], at: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += size;
      await run(items.slice(at, at + size), at);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

function one(answer: string[]): unknown {
  if (answer.length !== 1)
    throw new SkepError('janusgraph-failed', `a script gave ${answer.length} results instead of one`);
  return JSON.parse(answer[0] ?? '');
}

function script(name: 'ids' | 'rows' | 'lookup'): string {
  return readFileSync(new URL(`./groovy/${name}.groovy`, import.meta.url), 'utf8');
}

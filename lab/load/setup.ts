import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAudits } from './audits.ts';
import type { Endpoints } from './endpoints.ts';
import { GremlinClient } from './gremlin-client.ts';
import { type IndexShapes, readIndexShapes, shapesSchema } from './index-shape.ts';
import { SearchClient } from './search-client.ts';

const SHAPES_FILE = 'index-shapes.json';

/**
 * Makes the graph's schema and the audits' template, index and alias, and keeps in `ledgerDir` what the indices look
 * like before any load, for the proof. May be repeated; shapes that were kept once stay.
 */
export async function setUpLoad(endpoints: Endpoints, ledgerDir: string, auditReplicas: number): Promise<void> {
  const gremlin = new GremlinClient(endpoints.gremlinUrl);
  const search = new SearchClient(endpoints.elasticsearch);
  try {
    await gremlin.submit(groovy('schema'), {}, 300_000);
    await createAudits(search, auditReplicas);
    await mkdir(join(endpoints.attachmentsDir, 'attachment'), { recursive: true });
    await mkdir(ledgerDir, { recursive: true });
    const path = join(ledgerDir, SHAPES_FILE);
    if (!existsSync(path)) await writeFile(path, JSON.stringify(await readIndexShapes(search), null, 2) + '\n');
  } finally {
    gremlin.close();
    await search.close();
  }
}

/** The shapes that `setUpLoad` kept beside the ledger. */
export async function keptIndexShapes(ledgerDir: string): Promise<IndexShapes> {
  return shapesSchema.parse(JSON.parse(await readFile(join(ledgerDir, SHAPES_FILE), 'utf8')));
}

/** The text of one of the load's Groovy scripts. */
export function groovy(name: 'schema' | 'apply'): string {
  return readFileSync(new URL(`./groovy/${name}.groovy`, import.meta.url), 'utf8');
}

import { readFile, writeFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import type { Lab } from '../../../lab/index.ts';

/** Beside labs other tests keep both cores busy, in sessions of their own: nice agents would hardly get on. */
export async function notNice(lab: Lab): Promise<Lab> {
  const config = parseDocument(await readFile(lab.config, 'utf8'));
  config.setIn(['clusters', lab.record.name, 'agent', 'nice'], 0);
  await writeFile(lab.config, String(config));
  return lab;
}

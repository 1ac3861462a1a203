import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseDocument } from 'yaml';
import type { Lab } from '../../../lab/index.ts';

/** A copy of the lab's skep.yaml, or of another one, in which some keys of its cluster are others, or none (undefined). */
export async function configVariant(
  lab: Lab,
  name: string,
  changes: readonly (readonly [key: readonly (string | number)[], value: unknown])[],
  of: string = lab.config,
): Promise<string> {
  const doc = parseDocument(await readFile(of, 'utf8'));
  for (const [key, value] of changes) {
    const at = ['clusters', lab.record.name, ...key];
    if (value === undefined) doc.deleteIn(at);
    else doc.setIn(at, value);
  }
  const file = path.join(lab.root, `skep-${name}.yaml`);
  await writeFile(file, String(doc));
  return file;
}

const FAULTY_AGENT = new URL('./faulty-agent.ts', import.meta.url).pathname;

/** A configuration whose agents, or that of one node alone, have one of the faults of `faulty-agent.ts`. */
export function withFault(lab: Lab, fault: string, o: { only?: string; of?: string } = {}): Promise<string> {
  const where = o.only === undefined ? [] : ['{node}', o.only];
  const command = [process.execPath, FAULTY_AGENT, fault, ...where];
  return configVariant(lab, fault, [[['agent', 'command'], command]], o.of);
}

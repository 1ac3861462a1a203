// The proof as a process: `node lab/proof/main.ts --endpoints FILE --ledger DIR [--T MICROSECONDS]`.
// Prints the report as JSON, findings on stderr; exits 0 only when the cluster is proven.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { endpointsSchema } from '../load/endpoints.ts';
import { ledgerFiles } from '../ledger/ledger-folder.ts';
import { keptIndexShapes } from '../load/setup.ts';
import { prove } from './prove.ts';
import { isProven } from './report.ts';

const { values } = parseArgs({
  options: { endpoints: { type: 'string' }, ledger: { type: 'string' }, T: { type: 'string' } },
});
const ledgerDir = z.string().parse(values.ledger);
const proof = await prove({
  endpoints: endpointsSchema.parse(JSON.parse(await readFile(z.string().parse(values.endpoints), 'utf8'))),
  ledgerFiles: await ledgerFiles(ledgerDir),
  T: BigInt(values.T ?? (Date.now() + 1) * 1000),
  shapes: await keptIndexShapes(ledgerDir),
});
for (const [name, findings] of Object.entries(proof.findings))
  for (const finding of findings.slice(0, 20)) console.error(`${name}: ${finding}`);
console.log(JSON.stringify({ ...proof.report, ...proof.seen }));
process.exitCode = isProven(proof.report) ? 0 : 1;

// Writes docs/generated from the tables in the code; with --check only tells whether they are up to date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { ERRORS } from '../src/errors.ts';

const FOLDER = path.join(import.meta.dirname, '..', 'docs', 'generated');

const files: Record<string, string> = {
  'errors.md': errorsPage(),
  'config.schema.json': `${JSON.stringify(z.toJSONSchema(configSchema, { io: 'input' }), undefined, 2)}\n`,
};

await mkdir(FOLDER, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const file = path.join(FOLDER, name);
  if (!process.argv.includes('--check')) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${name} is out of date: run \`npm run docs\`\n`);
    process.exitCode = 1;
  }
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, e]) => `| \`${code}\` | ${e.exit} | ${e.hint} |`);
  return ['# Errors', '', '| code | exit code | hint |', '|---|---|---|', ...rows, ''].join('\n');
}

// `make bench`: each row on the same data in the same run as its peer; one NDJSON line a row.
// `make bench ARGS="--only commitlog_filter"` runs only the rows whose names begin so.
import { parseArgs } from 'node:util';
import { commitlogFilter } from './commitlog-filter.ts';
import type { Row } from './row.ts';

const ROWS: Record<string, () => AsyncGenerator<Row>> = { commitlog_filter: commitlogFilter };

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
for (const [name, rows] of Object.entries(ROWS)) {
  if (!name.startsWith(values.only)) continue;
  for await (const row of rows()) process.stdout.write(`${JSON.stringify(row)}\n`);
}

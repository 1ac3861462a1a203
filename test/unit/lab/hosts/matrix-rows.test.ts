import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lastRows } from '../../../../lab/hosts/matrix-rows.ts';
import { temporaryFolder } from '../../support/folder.ts';

test('of a case that was done again only the last row counts', async () => {
  const file = join(await temporaryFolder(), 'rows.ndjson');
  expect(await lastRows(file)).toEqual([]);
  const row = (name: string, ok: boolean) => ({ case: name, exitCode: 0, seconds: 1, failed: [], ok });
  const all = [row('pin / cable out', false), row('pin / agents killed', false), row('pin / cable out', true)];
  await writeFile(file, all.map((r) => `${JSON.stringify(r)}\n`).join(''));
  expect(await lastRows(file)).toEqual([row('pin / cable out', true), row('pin / agents killed', false)]);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { recentErrors } from '../../../src/agent/log-tail.ts';
import { temporaryFolder } from '../support/folder.ts';

const SINCE = new Date(2026, 10, 22, 12, 0, 0).getTime();

describe('recent errors of a log', () => {
  test('are its lines of level ERROR or FATAL since a time, and those that have none', async () => {
    const file = join(await temporaryFolder(), 'system.log');
    await writeFile(
      file,
      [
        'ERROR [main] 2026-11-22 11:59:59,999 old',
        'INFO  [main] 2026-11-22 12:00:01,000 no ERRORs here',
        'ERROR [main] 2026-11-22 12:00:01,907 new',
        '[2026-11-22T12:00:02,000][FATAL][o.e.x] worse',
        'ERROR without a time',
      ].join('\n'),
    );
    const { lines, unreadable } = await recentErrors([file], SINCE, 10);
    expect(lines.map((l) => l.line)).toEqual([
      'ERROR [main] 2026-11-22 12:00:01,907 new',
      '[2026-11-22T12:00:02,000][FATAL][o.e.x] worse',
      'ERROR without a time',
    ]);
    expect(lines.map((l) => l.atMs)).toEqual([SINCE + 1000, SINCE + 2000, undefined]);
    expect(unreadable).toEqual([]);
    expect((await recentErrors([file], SINCE, 1)).lines).toHaveLength(1);
  });

  test('are read from the end of a log of any size; a log that cannot be read is told', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'big.log');
    const filler = `${'x'.repeat(999)}\n`.repeat(3000);
    await writeFile(file, `ERROR at the beginning\n${filler}ERROR at the end\n`);
    const none = join(folder, 'none.log');
    const found = await recentErrors([none, file], 0, 10);
    expect(found).toEqual({ lines: [{ file, line: 'ERROR at the end' }], unreadable: [none] });
  });
});

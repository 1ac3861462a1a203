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

  test('are told by the level of the line, not by what its message says', async () => {
    const file = join(await temporaryFolder(), 'application.log');
    const errors = [
      '2026-11-22 12:00:01,100 [ERROR] from org.thp.Something in main - broken',
      '[error] o.t.s.Thing - broken',
      '{"@timestamp":"2026-11-22T12:00:01.000Z", "log.level":"ERROR", "message":"broken"}',
    ];
    const others = [
      'INFO  [main] 2026-11-22 12:00:01,000 X.java:1 - the last ERROR was long ago',
      'WARN  [main] 2026-11-22 12:00:01,000 X.java:1 - ERROR',
      '    at org.thp.ErrorHandler.handle(ErrorHandler.scala:1)',
    ];
    await writeFile(file, [...others, ...errors].join('\n'));
    expect((await recentErrors([file], 0, 10)).lines.map((l) => l.line)).toEqual(errors);
  });

  test('have their time in the zone that they name, else in that of the node', async () => {
    const file = join(await temporaryFolder(), 'zones.log');
    await writeFile(
      file,
      'ERROR 2026-11-22T12:00:00Z a\nERROR 2026-11-22T12:00:00,5+02:00 b\nERROR 2026-11-22 12:00:00 c\n',
    );
    const noon = Date.UTC(2026, 10, 22, 12);
    expect((await recentErrors([file], 0, 10)).lines.map((l) => l.atMs)).toEqual([noon, noon - 7_200_000, SINCE]);
  });

  test('are found however long ago they were within that time, and nothing before it is read', async () => {
    const file = join(await temporaryFolder(), 'long.log');
    const info = (time: string) => `INFO  [main] 2026-11-22 ${time},000 ${'x'.repeat(965)}\n`;
    const old = `ERROR [main] 2026-11-22 11:00:00,000 old\n${info('11:00:01').repeat(700)}`;
    await writeFile(file, `${old}ERROR [main] 2026-11-22 12:00:01,000 early\n${info('12:00:02').repeat(3000)}`);
    const found = await recentErrors([file], SINCE, 10);
    expect(found.lines.map((l) => l.line)).toEqual(['ERROR [main] 2026-11-22 12:00:01,000 early']);
    expect(found.cutShort).toEqual([]);
    expect(await recentErrors([file], SINCE, 10, 1_000_000)).toEqual({ lines: [], unreadable: [], cutShort: [file] });
  });

  test('are read from a log of any size; a log that cannot be read is told', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'big.log');
    const filler = `${'x'.repeat(999)}\n`.repeat(3000);
    await writeFile(file, `ERROR at the beginning\n${filler}ERROR at the end\n`);
    const none = join(folder, 'none.log');
    const found = await recentErrors([none, file], 0, 10);
    expect(found.lines.map((l) => l.line)).toEqual(['ERROR at the beginning', 'ERROR at the end']);
    expect(found.unreadable).toEqual([none]);
  });
});

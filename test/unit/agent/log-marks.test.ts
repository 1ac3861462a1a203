import { appendFile, chmod, copyFile, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { importsSince, markLogs } from '../../../src/agent/log-marks.ts';
import { temporaryFolder } from '../support/folder.ts';

const said = (what: string) =>
  `INFO  [RMI TCP Connection(4)-127.0.0.1] 2026-11-22 23:00:58,000 SSTableImporter.java:80 - [x] ${what}\n`;
const loading = (table: string) => said(`Loading new SSTables for ${table}: Options{}`);
const other = said('Writing Memtable-edgestore');

/** A log that tells of an import, marked behind that. */
async function marked() {
  const log = join(await temporaryFolder(), 'system.log');
  await writeFile(log, loading('thehive/before').repeat(3));
  const { marks, unreadable } = await markLogs([log]);
  expect(unreadable).toEqual([]);
  return { log, found: () => importsSince(marks, 'thehive') };
}

/** What is told of the tables, whatever else the lines say. */
const tables = (lines: readonly string[]) => lines.map((line) => /thehive\/(\w+)/.exec(line)?.[1]);

describe('imports into a keyspace since a log was marked', () => {
  test('are told by its lines behind the mark, in whatever time zone these are', async () => {
    const { log, found } = await marked();
    expect(await found()).toEqual({ lines: [], unseen: [] });
    await appendFile(
      log,
      [other, loading('other/edgestore'), loading('thehive2/edgestore'), loading('thehive/now')].join(''),
    );
    const { lines, unseen } = await found();
    expect(tables(lines)).toEqual(['now']);
    expect(unseen).toEqual([]);
  });

  test('are told of one that had begun before, when it is done', async () => {
    const { log, found } = await marked();
    await appendFile(log, said('Loading new SSTables and building secondary indexes for thehive/one: []'));
    await appendFile(log, said('Done loading load new SSTables for thehive/two'));
    await appendFile(log, said('No new SSTables were found for thehive/none'));
    expect(tables((await found()).lines)).toEqual(['one', 'two']);
  });

  test.each<[string, (log: string) => Promise<unknown>]>([
    ['renamed', (log) => rename(log, `${log}.1`)],
    ['packed by gzip', (log) => rename(log, `${log}.1`).then(() => execa('gzip', [`${log}.1`]))],
    [
      "packed as by Cassandra's own settings",
      async (log) => {
        const script =
          'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED).write(sys.argv[2])';
        await execa('python3', ['-c', script, `${log}.2026-11-22.0.zip`, basename(log)], { cwd: dirname(log) });
        await rm(log);
      },
    ],
    ['copied and cut off', (log) => copyFile(log, `${log}.1`).then(() => truncate(log))],
  ])('are followed into a log that was rolled: %s', async (_, roll) => {
    const { log, found } = await marked();
    await appendFile(log, loading('thehive/rolled'));
    await roll(log);
    expect(tables((await found()).lines)).toEqual(['rolled']);
    await writeFile(log, loading('thehive/anew'));
    const { lines, unseen } = await found();
    expect(tables(lines)).toEqual(['rolled', 'anew']);
    expect(unseen).toEqual([]);
  });

  test('are not sought in what it had been rolled to before, also when that is given another name', async () => {
    const log = join(await temporaryFolder(), 'system.log');
    await writeFile(`${log}.1`, loading('thehive/old'));
    await writeFile(log, other);
    const { marks } = await markLogs([log]);
    await rename(`${log}.1`, `${log}.2`);
    await rename(log, `${log}.1`);
    await writeFile(log, other);
    expect(await importsSince(marks, 'thehive')).toEqual({ lines: [], unseen: [] });
  });

  test('are sought in all of what it was rolled to twice', async () => {
    const { log, found } = await marked();
    await appendFile(log, loading('thehive/first'));
    await rename(log, `${log}.2`);
    await writeFile(`${log}.1`, loading('thehive/second'));
    await writeFile(log, loading('thehive/third'));
    expect(tables((await found()).lines)).toEqual(expect.arrayContaining(['first', 'second', 'third']));
  });
});

describe('a log of which not all can be seen is told', () => {
  test('when it is not there, or is no file, when it is to be marked', async () => {
    const folder = await temporaryFolder();
    const none = join(folder, 'none.log');
    await mkdir(join(folder, 'closed'));
    const closed = join(folder, 'closed', 'system.log');
    await writeFile(closed, '');
    const { marks, unreadable } = await markLogs([none, join(closed, 'below')]);
    expect(marks).toEqual([]);
    expect(unreadable).toEqual([
      { file: none, why: 'ENOENT' },
      { file: join(closed, 'below'), why: 'ENOTDIR' },
    ]);
  });

  test.runIf(process.getuid?.() !== 0)('when it may not be read', async () => {
    const log = join(await temporaryFolder(), 'system.log');
    await writeFile(log, '');
    await chmod(log, 0);
    expect((await markLogs([log])).unreadable).toEqual([{ file: log, why: 'EACCES' }]);
  });

  test('when it begins anew, and what was in it is nowhere', async () => {
    const { log, found } = await marked();
    await truncate(log);
    expect(await found()).toEqual({ lines: [], unseen: [{ file: log, why: expect.stringContaining('begins anew') }] });
    await rm(log);
    expect((await found()).unseen).toHaveLength(1);
  });

  test('when what it was rolled to is not whole yet', async () => {
    const { log, found } = await marked();
    await appendFile(log, other.repeat(1000));
    await rename(log, `${log}.1`);
    await execa('gzip', [`${log}.1`]);
    await truncate(`${log}.1.gz`, 100);
    expect((await found()).unseen).toEqual([{ file: log, why: expect.any(String) }]);
    await rename(`${log}.1.gz`, `${log}.1.zip`);
    expect((await found()).unseen).toEqual([{ file: log, why: expect.stringContaining('not whole') }]);
  });
});

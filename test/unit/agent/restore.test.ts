import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { restoreHandlers } from '../../../src/agent/handlers/restore.ts';
import type { MethodContext } from '../../../src/agent/handlers.ts';
import { Session } from '../../../src/agent/session.ts';
import { writeReplay } from '../../../src/cut/segment-evidence.ts';
import { fileEntry, initRepository, newBackupId, type Repository } from '../../../src/repository/index.ts';
import { rowsOf, segmentOf } from '../commitlog/fixtures.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'skep-restore-'));
});
afterEach(() => rm(root, { recursive: true }));

const at = (...below: string[]) => path.join(root, ...below);
const context: MethodContext = { session: new Session(), signal: new AbortController().signal, progress: () => {} };

async function put(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(at(file)), { recursive: true });
  await writeFile(at(file), text);
}

describe('setting aside', () => {
  const aside = () =>
    restoreHandlers['restore.aside']({ moves: [{ from: at('data'), to: at('undo'), keep: ['snapshots'] }] });

  test('moves all but what is to stay, and may be repeated when it was half done', async () => {
    await put('data/a', '1');
    await put('data/b/c', '2');
    await put('data/snapshots/s', '3');
    await put('undo/earlier', '0');
    expect(await aside()).toEqual({ moved: 2 });
    expect(await aside()).toEqual({ moved: 0 });
    expect((await readdir(at('undo'))).sort()).toEqual(['a', 'b', 'earlier']);
    expect(await readdir(at('data'))).toEqual(['snapshots']);
  });

  test('never writes over what was kept before, whatever came to have the same name since', async () => {
    for (const text of ['first', 'second', 'third']) {
      await put('data/nb-1-big-Data.db', text);
      await put('data/index/x', text);
      await aside();
    }
    for (const [folder, text] of [
      ['undo', 'first'],
      ['undo.2', 'second'],
      ['undo.3', 'third'],
    ] as const) {
      expect(await readFile(at(folder, 'nb-1-big-Data.db'), 'utf8')).toBe(text);
      expect(await readFile(at(folder, 'index', 'x'), 'utf8')).toBe(text);
    }
  });

  test('a place is found beside a folder, or below the one that is configured on the same filesystem', async () => {
    await mkdir(at('var', 'data'), { recursive: true });
    const places = (base?: string) =>
      restoreHandlers['restore.places']({
        folders: [at('var', 'data'), at('var', 'absent', 'hints')],
        ...(base === undefined ? {} : { base }),
      });
    expect(await places()).toEqual({ undo: [at('var', 'skep-undo'), at('var', 'skep-undo')] });
    expect(await places(at('kept'))).toEqual({ undo: [at('kept'), at('kept')] });
  });

  test('a configured folder on another filesystem is refused before anything is changed', async () => {
    await mkdir(at('data'));
    const other = '/dev/shm';
    if ((await stat(other)).dev === (await stat(root)).dev)
      throw new Error(`${other} is no filesystem of its own here`);
    await expect(restoreHandlers['restore.places']({ folders: [at('data')], base: other })).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });
});

describe('laying out', () => {
  let repository: Repository;

  async function store(files: Record<string, string>, compression: 'off' | 'auto' = 'off') {
    repository = await initRepository(at('repository'), { clusterName: 'c', clusterId: 'x' });
    const writer = repository.objectWriter({ run: newBackupId(), writer: 'w', compression });
    const entries = [];
    for (const [name, text] of Object.entries(files)) {
      entries.push(fileEntry(name, await writer.putBytes(Buffer.from(text))));
    }
    const listing = await repository.writeListing(entries, writer);
    await writer.close();
    return listing;
  }

  const TABLE = '0123456789abcdef0123456789abcdef';

  test('spreads SSTables over the data folders, keeps their components together, and comes to the same again', async () => {
    const files: Record<string, string> = {};
    for (let i = 10; i < 30; i++) {
      files[`sstables/t-${TABLE}/nb-${i}-big-Data.db`] = `data ${i}`;
      files[`sstables/t-${TABLE}/nb-${i}-big-TOC.txt`] = `toc ${i}`;
    }
    const listing = await store(files);
    const tables = { [TABLE]: { to: [at('d0', 't'), at('d1', 't')], reuse: [] } };
    const layOut = () =>
      restoreHandlers['restore.sstables']({ repository: { location: at('repository') }, listing, tables }, context);
    expect(await layOut()).toMatchObject({ files: 40, reused: 0 });
    const [d0, d1] = await Promise.all([readdir(at('d0', 't')), readdir(at('d1', 't'))]);
    expect(d0.length + d1.length).toBe(40);
    expect(Math.min(d0.length, d1.length)).toBeGreaterThan(0);
    for (const names of [d0, d1]) {
      for (const n of names.filter((x) => x.endsWith('Data.db'))) {
        expect(names).toContain(n.replace('Data.db', 'TOC.txt'));
      }
    }
    expect(await layOut()).toMatchObject({ files: 40, reused: 40 });
  });

  test('goes on after a kill: half-written files are removed, good ones kept, others replaced', async () => {
    const listing = await store({ 'attachment/a': 'aaaa', 'attachment/b': 'bbbb', 'attachment/c': 'cccc' });
    await put('files/attachment/a', 'aaaa');
    await put('files/attachment/b', 'BBBB');
    await put('files/attachment/.c.0123456789ab.skep', 'cc');
    await put('undo/attachment/b', 'bbbb');
    const done = await restoreHandlers['restore.tree'](
      { repository: { location: at('repository') }, listing, prefix: '', to: at('files'), reuse: at('undo') },
      context,
    );
    expect(done).toEqual({ files: 3, bytes: 12, reused: 2 });
    expect((await readdir(at('files', 'attachment'))).sort()).toEqual(['a', 'b', 'c']);
    for (const n of ['a', 'b', 'c']) expect(await readFile(at('files', 'attachment', n), 'utf8')).toBe(n.repeat(4));
  });

  test.runIf(process.getuid?.() === 0)('root gives what it lays out to the owner of the folder', async () => {
    const [uid, gid] = [12_345, 23_456];
    for (const folder of ['data', 'files', 'commitlog']) {
      await mkdir(at(folder));
      await chown(at(folder), uid, gid);
    }
    await put('data/t/old-Data.db', 'x');
    await put('commitlog/old.log', 'x');
    const listing = await store({ 'attachment/a': 'aaaa', [`sstables/t-${TABLE}/nb-1-big-Data.db`]: 'data' });
    const place = { repository: { location: at('repository') }, listing };
    await restoreHandlers['restore.aside']({
      moves: [{ from: at('commitlog'), to: at('commitlog/u/1'), keep: ['u'] }],
    });
    const tables = { [TABLE]: { to: [at('data', 'ks', 't')], reuse: [] } };
    await restoreHandlers['restore.sstables']({ ...place, tables }, context);
    await restoreHandlers['restore.tree']({ ...place, prefix: 'attachment/', to: at('files', 'attachment') }, context);
    for (const made of ['data/ks', 'data/ks/t', 'files/attachment', 'files/attachment/a', 'commitlog/u/1']) {
      expect([made, await stat(at(made)).then((s) => [s.uid, s.gid])]).toEqual([made, [uid, gid]]);
    }
  });

  test('a half that a failed run left under another form does not stand in for the one that is listed', async () => {
    const text = 'it shrinks '.repeat(200);
    const listing = await store({ a: text }, 'auto');
    for await (const { object = '' } of repository.readListing(listing)) {
      await put(path.join('repository', 'objects', object.slice(0, 2), object), text.slice(1));
    }
    const repo = { location: at('repository') };
    await restoreHandlers['restore.tree']({ repository: repo, listing, prefix: '', to: at('files') }, context);
    expect(await readFile(at('files', 'a'), 'utf8')).toBe(text);
  });

  test('one file that cannot be laid out ends the work on all others with its error', async () => {
    const listing = await store(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i + 10}`, `text ${i}`])));
    const entries = [];
    for await (const e of repository.readListing(listing)) if (e.linkTo === undefined) entries.push(e);
    const gone = entries[5]?.object as string;
    await rm(at('repository', 'objects', gone.slice(0, 2), gone), { force: true });
    const work = restoreHandlers['restore.tree'](
      { repository: { location: at('repository') }, listing, prefix: '', to: at('files') },
      context,
    );
    await expect(work).rejects.toMatchObject({ code: 'object-missing' });
    const then = await readdir(at('files'));
    expect(then.length).toBeLessThan(50);
    await expect(readdir(at('files'))).resolves.toEqual(then);
  });
});

describe('writing the replay', () => {
  test('segments of an earlier try are removed, and new ids are above all that were ever there', async () => {
    const far = BigInt(Date.now()) + 1_000_000n;
    await put(`commitlog/CommitLog-7-${far}.log`, 'cut off');
    await put(`commitlog/other`, 'not ours');
    await put(`aside/CommitLog-7-${far + 5n}.log`, 'old');
    const { name, bytes } = segmentOf('4.1.10', 'none');
    const rules = {
      T: String(2n ** 62n),
      truncated: [],
      foreign: [],
      above: '7',
      folder: at('commitlog'),
      aside: at('aside'),
      schema: withoutCounters(rowsOf('4.1.10')),
    };
    const source = { name, bytes: bytes.length, open: async () => Readable.from([bytes]) };
    const { evidence, written } = await writeReplay([source], rules, context.signal);
    expect(evidence.kept).toBeGreaterThan(0);
    expect(written[0]).toBe(`CommitLog-7-${far + 6n}.log`);
    expect((await readdir(at('commitlog'))).sort()).toEqual([...written, 'other']);
    const again = await writeReplay([source], rules, context.signal);
    expect((await readdir(at('commitlog'))).sort()).toEqual([...again.written, 'other']);
    expect(again.evidence).toEqual(evidence);
    expect(await readdir(at('aside'))).toHaveLength(1);
  });
});

function withoutCounters(rows: Record<string, unknown[] | undefined>): Record<string, unknown[]> {
  const isOther = (row: unknown) => (row as { table_name?: string }).table_name !== 'counts';
  return Object.fromEntries(Object.entries(rows).map(([table, all]) => [table, (all ?? []).filter(isOther)]));
}

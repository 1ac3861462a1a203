import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookHandlers } from '../../../src/agent/handlers/look.ts';
import { lookAtCommitlog } from '../../../src/agent/look-at-commitlog.ts';
import { parseProperties } from '../../../src/agent/properties.ts';
import { Session } from '../../../src/agent/session.ts';
import type { Progress } from '../../../src/protocol/methods.ts';

let root: string;
let progress: Progress[];
const signal = new AbortController().signal;
const ctx = () => ({ session: new Session(), signal, progress: (p: Progress) => void progress.push(p) });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-look-'));
  progress = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('the look at a commit log', () => {
  test('tells its segments, and leaves nothing behind where it tried to link', async () => {
    const dir = join(root, 'commitlog');
    await mkdir(dir);
    await writeFile(join(dir, 'CommitLog-7-1.log'), 'abc');
    await writeFile(join(dir, 'CommitLog-7-2.log'), 'de');
    await writeFile(join(dir, 'other'), 'x');
    expect(await lookAtCommitlog(dir)).toEqual({
      pinFolder: join(root, 'skep-pins'),
      segments: 2,
      bytes: 5,
      uid: process.getuid?.(),
    });
    expect(await readdir(root)).toEqual(['commitlog']);
  });

  test('keeps a folder of pins that another run uses', async () => {
    await mkdir(join(root, 'commitlog'));
    await mkdir(join(root, 'skep-pins', 'run-1'), { recursive: true });
    await writeFile(join(root, 'commitlog', 'CommitLog-7-1.log'), 'abc');
    await lookAtCommitlog(join(root, 'commitlog'));
    expect(await readdir(join(root, 'skep-pins'))).toEqual(['run-1']);
  });

  test('tells why a link was refused', async () => {
    await mkdir(join(root, 'commitlog'));
    await writeFile(join(root, 'commitlog', 'CommitLog-7-1.log'), 'abc');
    await writeFile(join(root, 'skep-pins'), 'a file where the folder should be');
    expect((await lookAtCommitlog(join(root, 'commitlog'))).refused).toMatch(/ENOTDIR|EEXIST/);
  });

  test('of a folder that is not there fails', async () => {
    await expect(lookAtCommitlog(join(root, 'none'))).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});

describe('the look at attachments', () => {
  test('counts those named by a hash, and estimates their size', async () => {
    await mkdir(join(root, 'attachment'));
    for (const text of ['a', 'bb', 'ccc']) {
      const hash = createHash('sha256').update(text).digest('hex');
      await writeFile(join(root, 'attachment', hash), text);
    }
    await writeFile(join(root, 'attachment', 'README'), 'not one of them');
    const all = await lookHandlers['look.attachments']({ location: root, sample: 10 }, ctx());
    expect(all).toEqual({ files: 3, bytes: 6, sampled: 3 });
    const some = await lookHandlers['look.attachments']({ location: root, sample: 1 }, ctx());
    expect(some).toMatchObject({ files: 3, sampled: 1 });
    expect([3, 6, 9]).toContain(some.bytes);
  });
});

describe('the look for commitlog_archiving.properties', () => {
  test('takes the first folder that has one', async () => {
    await mkdir(join(root, 'b'));
    const file = join(root, 'b', 'commitlog_archiving.properties');
    await writeFile(file, 'restore_point_in_time=2026:11:22 23:01:43\n');
    const folders = [join(root, 'a'), join(root, 'b')];
    expect(await lookHandlers['look.archiving']({ folders })).toEqual({
      file,
      properties: { restore_point_in_time: '2026:11:22 23:01:43' },
    });
    expect(await lookHandlers['look.archiving']({ folders: [join(root, 'a')] })).toEqual({ properties: {} });
  });

  test('reads properties as Java does', () => {
    const text = '# c\n! d\n  a = 1 \nb:2\nc 3\nempty=\nlong=x,\\\n   y\nurl=a=b\n';
    expect(parseProperties(text)).toEqual({ a: '1', b: '2', c: '3', empty: '', long: 'x,y', url: 'a=b' });
  });
});

describe('a repair', () => {
  test('gives progress while it runs, then its exit code and last words', async () => {
    const script = `echo 'Starting repair command #1 (x), # of ranges: 2'; echo 'Repair session s for range [(1,2], (2,1]] finished'; echo bad >&2; exit 2`;
    const r = await lookHandlers['repair.run']({ argv: ['sh', '-c', script] }, ctx());
    expect(r).toMatchObject({ exitCode: 2, ranges: 2, lines: expect.arrayContaining(['bad']) });
    expect(progress.at(-1)).toEqual({ files: 2, totalFiles: 2, bytes: 0 });
  });

  test('whose first line was lost says nothing of how much there is to do', async () => {
    const script = `echo 'Repair session s for range [(1,2]] finished'`;
    await lookHandlers['repair.run']({ argv: ['sh', '-c', script] }, ctx());
    expect(progress.at(-1)).toEqual({ files: 1, bytes: 0 });
  });

  test('that cannot be started is an error', async () => {
    await expect(lookHandlers['repair.run']({ argv: [join(root, 'none')] }, ctx())).rejects.toMatchObject({
      code: 'command-failed',
    });
  });
});

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Pins } from '../../../src/cut/pins.ts';
import { temporaryFolder } from '../support/folder.ts';

/** Names that a listing has though the files are gone. */
const ghosts = vi.hoisted<string[]>(() => []);
/** What making links and folders fails with. */
const full = vi.hoisted<{ link?: string; mkdir?: string }>(() => ({}));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const readdir = async (path: string) => [
    ...(await real.readdir(path)),
    ...(path.endsWith('commitlog') ? ghosts : []),
  ];
  const refuse = (code: string | undefined) => {
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  const link: typeof real.link = async (from, to) => (refuse(full.link), real.link(from, to));
  const mkdir = (async (path, options) => {
    if (String(path).includes('skep-pins')) refuse(full.mkdir);
    return real.mkdir(path, options);
  }) as typeof real.mkdir;
  return { ...real, readdir, link, mkdir };
});
beforeEach(() => {
  ghosts.splice(0);
  delete full.link;
  delete full.mkdir;
});

const name = (id: number) => `CommitLog-7-${id}.log`;

async function commitlog(...ids: number[]) {
  const root = await temporaryFolder();
  const dir = join(root, 'commitlog');
  await mkdir(dir);
  const add = (id: number) => writeFile(join(dir, name(id)), `segment ${id}`);
  for (const id of ids) await add(id);
  return { root, dir, add, folder: join(root, 'skep-pins', 'run-1') };
}

async function start(dir: string, run = 'run-1'): Promise<Pins> {
  const pins = await Pins.start(dir, run);
  onTestFinished(() => pins.clear());
  return pins;
}

describe('pins', () => {
  test('hold the segment in use and every newer one, and keep their bytes when they are deleted', async () => {
    const { dir, add, folder } = await commitlog(1, 2, 3);
    const pins = await start(dir);
    expect((await pins.list()).segments.map((s) => s.id)).toEqual(['2', '3']);
    await add(4);
    await rm(join(dir, name(2)));
    await vi.waitFor(async () => expect(await readdir(folder)).toHaveLength(3), { timeout: 10_000, interval: 5 });
    await rm(join(dir, name(4)));
    const list = await pins.list();
    expect(list).toEqual({
      folder,
      segments: [2, 3, 4].map((id) => ({ name: name(id), id: String(id), bytes: 9 })),
      missed: [],
    });
    expect(await readFile(join(folder, name(4)), 'utf8')).toBe('segment 4');
  });

  test('that are frozen leave newer segments alone', async () => {
    const { dir, add, folder } = await commitlog(1, 2, 3);
    const pins = await start(dir);
    expect((await pins.freeze()).segments.map((s) => s.id)).toEqual(['2', '3']);
    await add(4);
    expect((await pins.list()).segments.map((s) => s.id)).toEqual(['2', '3']);
    expect(await readdir(folder)).toHaveLength(2);
  });

  test('leave other files and older segments that come later alone', async () => {
    const { dir, add } = await commitlog(5, 6);
    const pins = await start(dir);
    await add(4);
    await writeFile(join(dir, 'CommitLog-7-7_cdc.idx'), '');
    expect((await pins.list()).segments.map((s) => s.id)).toEqual(['5', '6']);
  });

  test('tell a segment that was listed and gone before it could be linked, once', async () => {
    const { dir } = await commitlog(1, 2);
    const pins = await start(dir);
    ghosts.push(name(3));
    await pins.list();
    expect((await pins.list()).missed).toEqual([name(3)]);
  });

  test('are removed with their folder, and may be removed again', async () => {
    const { dir, root } = await commitlog(1);
    const pins = await start(dir);
    await pins.clear();
    await pins.clear();
    expect(await readdir(root)).toEqual(['commitlog']);
    expect(await readdir(dir)).toEqual([name(1)]);
  });

  test('of another run stay when these are removed', async () => {
    const { dir, root } = await commitlog(1);
    const other = await start(dir, 'run-2');
    const pins = await start(dir);
    await pins.clear();
    expect(await readdir(join(root, 'skep-pins'))).toEqual(['run-2']);
    expect((await other.list()).segments).toHaveLength(1);
  });

  test('need a segment, and leave nothing behind when there is none', async () => {
    const { dir, root } = await commitlog();
    await expect(Pins.start(dir, 'run-1')).rejects.toMatchObject({ code: 'preflight-failed', exitCode: 5 });
    expect(await readdir(root)).toEqual(['commitlog']);
  });

  test('that cannot be had are a typed error', async () => {
    const { dir, root } = await commitlog(1);
    await writeFile(join(root, 'skep-pins'), 'in the way');
    await expect(Pins.start(dir, 'run-1')).rejects.toMatchObject({ code: 'command-failed' });
    await expect(Pins.start(join(root, 'none'), 'run-1')).rejects.toMatchObject({ code: 'command-failed' });
  });

  test.each(['ENOSPC', 'EDQUOT'])('end with `no-space` and leave nothing where %s is told', async (code) => {
    const { dir, root } = await commitlog(1);
    full.mkdir = code;
    await expect(Pins.start(dir, 'run-1')).rejects.toMatchObject({ code: 'no-space', exitCode: 13 });
    delete full.mkdir;
    full.link = code;
    await expect(Pins.start(dir, 'run-1')).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringContaining(name(1)),
      hint: expect.stringContaining('Free space'),
    });
    expect(await readdir(root)).toEqual(['commitlog']);
  });

  test('tell in the next list that the disk has become full, though the segment could be pinned later', async () => {
    const { dir, add, root } = await commitlog(1);
    const pins = await start(dir);
    full.link = 'ENOSPC';
    await add(2);
    await expect(pins.list()).rejects.toMatchObject({ code: 'no-space' });
    delete full.link;
    await expect(pins.freeze()).rejects.toMatchObject({ code: 'no-space' });
    await pins.clear();
    expect(await readdir(root)).toEqual(['commitlog']);
  });

  test('tell in the next list what went wrong meanwhile', async () => {
    const { dir, add, folder } = await commitlog(1);
    const pins = await start(dir);
    await writeFile(join(folder, name(2)), 'in the way of the link');
    await add(2);
    await expect(pins.list()).rejects.toMatchObject({
      code: 'command-failed',
      message: expect.stringContaining(name(2)),
    });
  });
});

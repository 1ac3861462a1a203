import type * as fs from 'node:fs/promises';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { AttachmentWatch } from '../../../../src/drivers/files/attachment-watch.ts';
import { PathTable } from '../../../../src/drivers/files/path-table.ts';
import { STORED } from '../../../../src/drivers/files/watch.ts';
import { temporaryFolder } from '../../support/folder.ts';

const POLL_MS = 10;

/** How often the folder of all pins goes right after it was made. */
const taken = vi.hoisted(() => ({ times: 0 }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const mkdir = (async (path, options) => {
    const made = await real.mkdir(path, options);
    if (String(path).endsWith('.skep-pins') && taken.times > 0) {
      taken.times--;
      await real.rmdir(path);
    }
    return made;
  }) as typeof real.mkdir;
  return { ...real, mkdir };
});

async function scene(o: { skip?: (path: string) => Promise<boolean> } = {}) {
  const location = await temporaryFolder();
  await mkdir(join(location, 'attachment'));
  const seen: { path: string; id: number }[] = [];
  const paths = new PathTable();
  const watch = new AttachmentWatch({
    location,
    run: 'run-1',
    paths,
    skip: o.skip ?? (async () => false),
    onNew: (id) => seen.push({ path: paths.pathOf(id), id }),
  });
  onTestFinished(() => watch.stop());
  const at = (name: string) => join(location, 'attachment', name);
  const names = () => seen.map((s) => s.path.replace('attachment/', '')).sort();
  const until = (n: number) => vi.waitFor(() => expect(seen).toHaveLength(n), { timeout: 10_000, interval: 2 });
  const read = async (id: number) => {
    const source = await watch.open(id);
    return readFile('file' in source ? source.file : '', 'utf8');
  };
  return { location, watch, seen, at, names, paths, until, read };
}

describe('a watch over attachments', () => {
  test('sees what is there, then what comes, each once, and keeps the bytes of what is deleted', async () => {
    const { location, watch, seen, at, names, until, read } = await scene();
    await writeFile(at('a'), 'one');
    await watch.start(POLL_MS);
    expect(names()).toEqual(['a']);
    await writeFile(at('b'), 'two');
    await until(2);
    await rm(at('a'));
    await rm(at('b'));
    await watch.look();
    expect(names()).toEqual(['a', 'b']);
    expect(watch.seen).toBe(2);
    for (const s of seen) expect(await read(s.id)).toBe(s.path.endsWith('a') ? 'one' : 'two');
    await watch.stop();
    await watch.stop();
    expect(await readdir(location)).toEqual(['attachment']);
  });

  test('begins though another run that ends takes the folder of all pins away meanwhile', async () => {
    const { location, watch } = await scene();
    taken.times = 2;
    await watch.start(POLL_MS);
    expect(taken.times).toBe(0);
    expect(await readdir(join(location, '.skep-pins'))).toEqual(['run-1']);
  });

  test('pins a file that is still being written, so that its end is seen through the pin', async () => {
    const { watch, seen, at, read } = await scene();
    await writeFile(at('a'), 'half');
    await watch.start(POLL_MS);
    await writeFile(at('a'), ' and half', { flag: 'a' });
    expect(await read(seen[0]!.id)).toBe('half and half');
  });

  test('sees a last look’s files though nothing has told of a change: also those in other folders', async () => {
    const { location, watch, names } = await scene();
    await watch.start(60_000);
    await mkdir(join(location, 'other'));
    await writeFile(join(location, 'other', 'x'), '');
    await watch.look();
    expect(names()).toEqual(['other/x']);
  });

  test('knows what need not be pinned, and does not give it', async () => {
    const { watch, names, at } = await scene({ skip: async (path) => path.endsWith('stored') });
    await writeFile(at('stored'), 'x');
    await writeFile(at('new'), 'y');
    await watch.start(POLL_MS);
    expect(names()).toEqual(['new']);
    expect(watch.seen).toBe(2);
    expect(watch.pinned).toBe(1);
  });

  test('neither pins nor gives what the table has as stored, and tells that it was seen', async () => {
    const { watch, names, paths, at } = await scene();
    const [stored, gone] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string];
    for (const name of [stored, gone]) paths.set(paths.idOf(`attachment/${name}`), STORED);
    await writeFile(at(stored), 'x');
    await watch.start(POLL_MS);
    expect(names()).toEqual([]);
    expect([stored, gone].map((name) => watch.wasSeen(paths.idOf(`attachment/${name}`)))).toEqual([true, false]);
  });

  test('sees a file again that was gone when it was to be pinned', async () => {
    const { location, watch, seen, at } = await scene({
      // Deleted between listing and link.
      skip: async (path) => {
        if (gone) await rm(join(location, path));
        return false;
      },
    });
    let gone = true;
    await writeFile(at('a'), 'x');
    await watch.start(60_000);
    expect(seen).toEqual([]);
    gone = false;
    await writeFile(at('a'), 'y');
    await watch.look();
    expect(seen).toHaveLength(1);
  });

  test('never takes skep’s own folders, another run’s pins among them, for attachments', async () => {
    const { location, watch, names } = await scene();
    for (const own of ['.skep-pins/run-0', '.skep-undo/run-0/attachment']) {
      await mkdir(join(location, own), { recursive: true });
      await writeFile(join(location, own, 'x'), '');
    }
    await watch.start(POLL_MS);
    expect(names()).toEqual([]);
    await watch.stop();
    expect(await readdir(join(location, '.skep-pins'))).toEqual(['run-0']);
  });
});

describe('a watch that cannot see', () => {
  test('does not make a location that is not there: it would look empty', async () => {
    const { location, watch } = await scene();
    await rm(location, { recursive: true });
    await expect(watch.start(POLL_MS)).rejects.toMatchObject({ code: 'file-missing', exitCode: 3 });
    await expect(readdir(location)).rejects.toThrow('ENOENT');
  });

  test('fails when its pins have been taken away, and takes no file for gone', async () => {
    const { location, watch, at } = await scene();
    await watch.start(60_000);
    await rm(join(location, '.skep-pins'), { recursive: true });
    await writeFile(at('a'), 'x');
    await expect(watch.look()).rejects.toMatchObject({ code: 'command-failed' });
  });

  test('ends at the next file when it is told to', async () => {
    const { watch, at, seen } = await scene({
      skip: async () => {
        watch.halt();
        return false;
      },
    });
    for (const n of [1, 2, 3]) await writeFile(at(`f${n}`), '');
    await watch.start(1);
    expect(seen).toHaveLength(1);
    await watch.look();
    expect(seen).toHaveLength(1);
  });

  test('tells what was deleted between the first listing and its pin', async () => {
    const { watch, seen, at } = await scene();
    await writeFile(at('a'), 'one');
    await writeFile(at('b'), 'two');
    const { promise: stored, resolve } = Promise.withResolvers<void>();
    const started = watch.start(60_000, stored);
    await vi.waitFor(() => expect(watch.seen).toBe(2));
    await rm(at('a'));
    resolve();
    await started;
    expect(seen.map(({ path }) => path)).toEqual(['attachment/b']);
    expect(watch.lost()).toEqual([{ path: 'attachment/a', agoMs: expect.any(Number) as number }]);
  });
});

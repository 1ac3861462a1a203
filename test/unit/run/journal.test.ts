import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Journal, stateFolder, unfinishedRestore } from '../../../src/run/journal.ts';
import { temporaryFolder } from '../support/folder.ts';

const open = (folder: string, o: { backup?: string; run?: string; cluster?: string } = {}) =>
  Journal.open({ folder, cluster: 'prod', backup: 'b1', run: 'r1', ...o });

describe('the journal of a restore', () => {
  test('goes on with the steps, the facts and the run of one that did not end', async () => {
    const folder = join(await temporaryFolder(), 'state');
    const first = await open(folder);
    expect(first.resumed).toBe(false);
    await first.markDone('stop-thehive');
    await first.setFact('index', { ghosts: 3 });
    // It has taken steps itself, but none before it.
    expect(first.resumed).toBe(false);
    const second = await open(folder, { run: 'r2' });
    expect({ run: second.run, resumed: second.resumed }).toEqual({ run: 'r1', resumed: true });
    expect(['stop-thehive', 'schema'].map((s) => second.isDone(s))).toEqual([true, false]);
    expect(second.fact('index')).toEqual({ ghosts: 3 });
    expect(second.fact('none')).toBeUndefined();
    expect((await stat(join(folder, 'restore-prod.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test('takes steps again that it is told to forget', async () => {
    const folder = await temporaryFolder();
    const journal = await open(folder);
    for (const step of ['a', 'b', 'c']) await journal.markDone(step);
    await journal.forget('a', 'c', 'never');
    expect(['a', 'b', 'c'].map((s) => journal.isDone(s))).toEqual([false, true, false]);
    expect((await open(folder)).isDone('a')).toBe(false);
  });

  test('refuses another backup until it has ended, and says which one must end', async () => {
    const folder = await temporaryFolder();
    const journal = await open(folder);
    await journal.markDone('drain');
    await expect(open(folder, { backup: 'b2' })).rejects.toMatchObject({
      code: 'restore-failed',
      hint: expect.stringContaining('skep restore b1'),
      context: { done: ['drain'] },
    });
    expect(await unfinishedRestore(folder, 'prod')).toBe('b1');
    // Another cluster has a journal of its own.
    expect((await open(folder, { backup: 'b2', cluster: 'test' })).resumed).toBe(false);
    await journal.finish();
    expect(await unfinishedRestore(folder, 'prod')).toBeUndefined();
    const next = await open(folder, { backup: 'b2', run: 'r2' });
    expect({ run: next.run, resumed: next.resumed }).toEqual({ run: 'r2', resumed: false });
    // The ended one is kept under the name of its run.
    expect(await readdir(folder)).toContain('restore-prod-r1.json');
  });

  test('that is torn or of another shape is refused, not overwritten', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'restore-prod.json');
    await (await open(folder)).markDone('drain');
    const size = (await stat(file)).size;
    for (const damage of [
      () => truncate(file, size - 10),
      () => truncate(file, 0),
      () => writeFile(file, '{"run":1}'),
    ]) {
      await damage();
      const before = await readFile(file, 'utf8');
      for (const reading of [() => open(folder), () => unfinishedRestore(folder, 'prod')]) {
        await expect(reading()).rejects.toMatchObject({
          code: 'restore-failed',
          message: expect.stringContaining(file),
        });
      }
      expect(await readFile(file, 'utf8')).toBe(before);
    }
  });

  test('knows every step that was marked before its process was killed', async () => {
    const folder = await temporaryFolder();
    const module = join(import.meta.dirname, '..', '..', '..', 'src', 'run', 'journal.ts');
    const script = `
      import { Journal } from ${JSON.stringify(module)};
      const j = await Journal.open({ folder: ${JSON.stringify(folder)}, cluster: 'prod', backup: 'b1', run: 'r1' });
      for (let n = 0; ; n++) {
        await j.markDone('step ' + n);
        process.stdout.write(n + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let told = '';
    child.stdout.on('data', (b: Buffer) => {
      told += b.toString();
      if (told.split('\n').length > 20) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const journal = await open(folder);
    const last = Number(told.trimEnd().split('\n').at(-1));
    expect(last).toBeGreaterThanOrEqual(19);
    for (let n = 0; n <= last; n++) expect(journal.isDone(`step ${n}`)).toBe(true);
    expect(journal.isDone(`step ${last + 2}`)).toBe(false);
  });
});

describe('the folder for what must be remembered', () => {
  test('is told by the environment, or is the usual one', () => {
    expect(stateFolder({ state_folder: '/c' }, { SKEP_STATE: '/s' })).toBe('/s');
    expect(stateFolder({ state_folder: '/c' }, { XDG_STATE_HOME: '/x' })).toBe('/c');
    expect(stateFolder({}, { XDG_STATE_HOME: '/x' })).toBe('/x/skep');
    expect(stateFolder({}, {})).toMatch(/\.local\/state\/skep$/);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Journal, journalFile, unfinishedRestore } from '../../../src/run/journal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skep-journal-'));
});
afterEach(() => rm(folder, { recursive: true }));

const open = (backup: string, run = 'run-1') => Journal.open({ folder, cluster: 'c', backup, run });

test('a restore goes on under its first run, with what was done and noted', async () => {
  const first = await open('b1');
  await first.markDone('one');
  await first.setFact('places', { n1: ['x'] });
  expect(first.resumed).toBe(false);
  const second = await open('b1', 'run-2');
  expect(second.run).toBe('run-1');
  expect(second.resumed).toBe(true);
  expect(second.isDone('one')).toBe(true);
  expect(second.fact('places')).toEqual({ n1: ['x'] });
});

test('steps that are forgotten are taken again, also after a kill', async () => {
  const first = await open('b1');
  await first.markDone('one');
  await first.markDone('two');
  await first.forget('one');
  const second = await open('b1');
  expect([second.isDone('one'), second.isDone('two')]).toEqual([false, true]);
});

test('another backup is refused until the restore has ended; then the journal is kept aside', async () => {
  const first = await open('b1');
  await first.markDone('one');
  await expect(open('b2')).rejects.toMatchObject({ code: 'restore-failed' });
  expect(await unfinishedRestore(folder, 'c')).toBe('b1');
  await first.finish();
  expect(await unfinishedRestore(folder, 'c')).toBeUndefined();
  const next = await open('b2', 'run-2');
  expect([next.run, next.resumed, next.isDone('one')]).toEqual(['run-2', false, false]);
});

test('a journal that cannot be read is never taken for none', async () => {
  await writeFile(journalFile(folder, 'c'), '{"run":"x"');
  await expect(open('b1')).rejects.toMatchObject({ code: 'restore-failed' });
  await expect(unfinishedRestore(folder, 'c')).rejects.toMatchObject({ code: 'restore-failed' });
});

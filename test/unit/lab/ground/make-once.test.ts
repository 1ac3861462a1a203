import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeOnce } from '../../../../lab/ground/make-once.ts';

let base: string;
let made: number;

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'skep-once-'));
  made = 0;
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function make(into: string): Promise<void> {
  made += 1;
  await writeFile(path.join(into, 'a.jar'), 'whole');
}

it('makes a folder once and gives it back from then on', async () => {
  const folder = path.join(base, 'set');
  expect(await makeOnce(folder, make)).toBe(folder);
  expect(await makeOnce(folder, make)).toBe(folder);
  expect(made).toBe(1);
});

it('does not take a folder for whole whose making failed half-way', async () => {
  const folder = path.join(base, 'set');
  const failing = makeOnce(folder, async (into) => {
    await make(into);
    throw new Error('the network is gone');
  });
  await expect(failing).rejects.toThrow('the network is gone');
  await makeOnce(folder, make);
  expect(made).toBe(2);
});

it.each([
  ['is cut short', (file: string) => truncate(file, 2)],
  ['is gone', (file: string) => rm(file)],
])('makes a folder again when a file of it %s', async (_, damage) => {
  const folder = path.join(base, 'set');
  await makeOnce(folder, make);
  await damage(path.join(folder, 'a.jar'));
  await makeOnce(folder, make);
  expect(made).toBe(2);
  expect(await readFile(path.join(folder, 'a.jar'), 'utf8')).toBe('whole');
});

it('makes a folder again when its stamp is torn', async () => {
  const folder = path.join(base, 'set');
  await makeOnce(folder, make);
  await writeFile(path.join(folder, '.complete.json'), '{"files":');
  await makeOnce(folder, make);
  expect(made).toBe(2);
});

it('makes a folder once for callers that come at the same time', async () => {
  const folder = path.join(base, 'set');
  await Promise.all([makeOnce(folder, make), makeOnce(folder, make), makeOnce(folder, make)]);
  expect(made).toBe(1);
});

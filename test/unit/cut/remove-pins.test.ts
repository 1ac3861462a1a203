import { existsSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removePins } from '../../../src/cut/remove-pins.ts';
import { temporaryFolder } from '../support/folder.ts';

test('a folder of more pins than are read at once goes, its files stay; one that is not there is no failure', async () => {
  const folder = await temporaryFolder();
  const [file, pins] = [join(folder, 'file'), join(folder, 'pins')];
  writeFileSync(file, 'content');
  mkdirSync(pins);
  for (let n = 0; n < 5000; n++) linkSync(file, join(pins, String(n)));
  await removePins(pins);
  expect(existsSync(pins)).toBe(false);
  expect(existsSync(file)).toBe(true);
  await removePins(pins);
});

test('what it may not remove is a failure', async () => {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, 'pins', 'a folder'), { recursive: true });
  await expect(removePins(join(folder, 'pins'))).rejects.toMatchObject({ code: expect.stringMatching(/EISDIR|EPERM/) });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildRepository, forgeManifest } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

let root: string;
let config: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-extract-'));
  const built = await buildRepository(root);
  config = built.config;
  await built.backUp({
    files: { 'attachment/a': 'one', 'attachment/b': 'two' },
    config: { 'etc/thehive/application.conf': 'a secret', 'etc/thehive/logback.xml': '<x/>', 'packages.tsv': 'skep 1' },
  });
});
afterAll(() => rm(root, { recursive: true, force: true }));

function extract(...args: string[]) {
  return skep(['extract', 'latest', ...args, '--config', config, '--json']);
}

test('lays out a store of every node in a folder of its name', async () => {
  const to = join(root, 'all');
  const run = await extract('--store', 'config', '--to', to);
  expect(run.events.at(-1)).toMatchObject({ type: 'result', command: 'extract', files: 3, to });
  const [node = ''] = await readdir(to);
  expect(await readFile(join(to, node, 'etc/thehive/application.conf'), 'utf8')).toBe('a secret');
});

test('lays out a part of a store of one node, and leaves no lease', async () => {
  const to = join(root, 'some');
  const run = await extract('--store', 'config', '--node', 'n1', '--below', '/etc/thehive', '--to', to);
  expect(run.exitCode).toBe(0);
  expect((await readdir(join(to, 'etc/thehive'))).sort()).toEqual(['application.conf', 'logback.xml']);
  expect(await readdir(to)).toEqual(['etc']);
  expect(await readdir(join(root, 'repository', 'leases')).catch(() => [])).toEqual([]);
});

test('refuses what would write over something, and what is not there', async () => {
  const full = join(root, 'all');
  expect(errorOf(await extract('--store', 'config', '--to', full))).toMatchObject({ code: 'usage' });
  const to = join(root, 'new');
  expect(errorOf(await extract('--store', 'mail', '--to', to))).toMatchObject({
    code: 'usage',
    hint: expect.stringContaining('n1/config'),
  });
  expect(errorOf(await extract('--store', 'files', '--below', 'attachment/x', '--to', to))).toMatchObject({
    code: 'usage',
  });
});

test('of a manifest that names a folder elsewhere nothing is written, and it is exit 4', async () => {
  const folder = join(root, 'forged');
  const built = await buildRepository(folder);
  const { id } = await built.backUp({ files: { 'attachment/a': 'one' } });
  await forgeManifest(join(built.location, 'backups', id), '"node":"n1"', '"node":"../../x"');
  const to = join(folder, 'a', 'to');
  const ran = await skep(['extract', id, '--store', 'files', '--to', to, '--config', built.config, '--json']);
  expect(ran.exitCode).toBe(4);
  expect(errorOf(ran)).toMatchObject({ code: 'manifest-damaged', context: { backup: id } });
  expect((await readdir(folder)).sort()).toEqual(['repository', 'skep.yaml']);
});

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../../src/repository/index.ts';
import { buildRepository, writeConfig } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

let root: string;
let config: string;
let old: Manifest;
let young: Manifest;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-cli-'));
  const built = await buildRepository(root);
  config = built.config;
  old = await built.backUp({ files: { 'attachment/a': 'only old', 'attachment/s': 'shared' } });
  young = await built.backUp({ files: { 'attachment/b': 'only young', 'attachment/s': 'shared' } });
});
afterAll(() => rm(root, { recursive: true, force: true }));

function copy(...args: string[]) {
  return skep(['copy', ...args, '--config', config, '--json']);
}

// One after the other: each begins with what the one before has left.
test('copies into a repository that is made on demand, then only what is new', async () => {
  const to = join(root, 'offsite');
  const refused = await copy('--to', to);
  expect(refused.exitCode).toBe(10);
  expect(errorOf(refused)).toMatchObject({ code: 'repository-missing', hint: expect.stringContaining('--init') });
  const planned = await copy('--to', to, '--init', '--dry-run');
  expect(planned.events.at(-1)).toMatchObject({ planned: [old.id, young.id], copied: [] });

  const one = await copy(old.id.slice(0, 16), '--to', to, '--init');
  expect(one.exitCode).toBe(0);
  // What a prune on a full disk deletes first.
  expect((await stat(join(to, 'ballast'))).size).toBeGreaterThan(1_000_000);
  expect(one.events.at(-1)).toMatchObject({ type: 'result', command: 'copy', copied: [{ from: old.id, id: old.id }] });
  const rest = await copy('--to', to);
  expect(rest.events.at(-1)).toMatchObject({ copied: [{ from: young.id }], there: [old.id] });
  const offsite = await writeConfig(join(root, 'offsite'), { repository: to });
  expect(await skep(['verify', '--level', 'data', '--config', offsite])).toMatchObject({ exitCode: 0 });
});

test('what is damaged is exit 4 and told at once, and does not count among the last', async () => {
  const name = createHash('sha256').update('only young').digest('hex');
  await truncate(join(root, 'repository/objects', name.slice(0, 2), name), 3);
  const ran = await copy('--to', join(root, 'second'), '--init', '--last', '1');
  expect(ran.exitCode).toBe(4);
  expect(ran.events).toContainEqual(
    expect.objectContaining({ type: 'warning', text: expect.stringContaining(`backup ${young.id} is left out: `) }),
  );
  expect(errorOf(ran)).toMatchObject({
    code: 'damage-found',
    context: { backups: [young.id], copied: [old.id], findings: [{ kind: 'object-truncated' }] },
  });
});

test('a target in the repository, or around it, is refused, and nothing is made', async () => {
  const repository = join(root, 'repository');
  const before = (await readdir(repository)).sort();
  for (const to of [join(repository, 'objects/x'), join(repository, 'objects/x/y'), root]) {
    for (const more of [['--init'], ['--init', '--dry-run']]) {
      const ran = await copy('--to', to, ...more);
      expect(ran.exitCode).toBe(2);
      expect(errorOf(ran)).toMatchObject({ code: 'usage', hint: expect.stringContaining('--to') });
    }
  }
  expect((await readdir(repository)).sort()).toEqual(before);
  expect(await readdir(join(repository, 'objects'))).not.toContain('x');
});

test('a file in the place of the target, or on the way to it, is named', async () => {
  for (const to of [config, join(config, 'x'), '/dev/null/x']) {
    const ran = await copy('--to', to, '--init');
    expect(ran.exitCode).toBe(2);
    const file = to.startsWith('/dev') ? '/dev/null' : config;
    expect(errorOf(ran)).toMatchObject({ code: 'config-invalid', message: `${to} is no folder: ${file} is a file` });
  }
});

test('a target that is nothing is exit 2', async () => {
  const all = await Promise.all([copy('--to', 'elsewhere'), copy('--to', join(root, 'repository')), copy()]);
  for (const ran of all) expect(ran.exitCode).toBe(2);
  expect((await copy('--to', '/tmp/x', '--last', '0')).exitCode).toBe(2);
});

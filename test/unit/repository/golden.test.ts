import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openRepository } from '../../../src/repository/index.ts';
import { GOLDEN_KEYS } from './support/make-golden.ts';
import { collect } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const ROOT = join(import.meta.dirname, '../../..');
const GOLDEN = join(ROOT, 'test/fixtures/golden/format-1/plain');

test('a repository of format 1 that an earlier skep wrote is read and verifies', async () => {
  const repo = await openRepository(GOLDEN);
  expect(repo.cluster).toEqual({ name: 'prod', id: 'c-1' });
  const backups = await repo.list();
  expect(backups.map((backup) => backup.state)).toEqual(['complete', 'complete']);
  expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true, objects: 137 });
  const { parts } = await repo.readManifest(backups[0]?.id as string);
  const entries = await collect(repo.readListing(parts.find((p) => p.store === 'files')!));
  expect(entries.map((entry) => entry.path)).toHaveLength(132);
  const config = entries.find((entry) => entry.path === 'application.conf');
  expect(config).toMatchObject({ size: 1717, stored: { encoding: 'zstd' } });
  const content = Buffer.concat(await collect(await repo.readObject(config?.object as string))).toString();
  expect(content).toBe('db.janusgraph {}\n'.repeat(101));
});

test('the commands of the specification list a backup without skep', async () => {
  const specification = readFileSync(join(ROOT, 'docs/repository-format.md'), 'utf8');
  const section = specification.slice(specification.indexOf('## 10.'));
  const recipe = section.split('\n').filter((line) => line.startsWith('    '));
  const repo = await openRepository(GOLDEN);
  for (const { id } of await repo.list()) {
    const { parts } = await repo.readManifest(id);
    const root = parts.find((p) => p.store === 'cassandra')?.root as string;
    const script = ['set -euo pipefail', ...recipe]
      .join('\n')
      .replace(/id=2026\S+/, `id=${id}`)
      .replaceAll('REPOSITORY', GOLDEN)
      .replace('walk ROOT', `walk ${root}`);
    const lines = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
    expect(lines.slice(0, 3)).toEqual(parts.map((p) => `${p.node}\t${p.store}\t${p.root}`));
    const entries = await collect(repo.readListing({ root }));
    expect(lines.slice(3)).toEqual(entries.map((entry) => `${entry.object}\t${entry.path}`));
  }
});

test('a sealed repository of format 1 is verified without a key, and read with an identity', async () => {
  const location = join(ROOT, 'test/fixtures/golden/format-1/sealed');
  const { namingKey, identity } = GOLDEN_KEYS;
  const closed = await openRepository({ location });
  expect(await closed.verify({ level: 'data' })).toMatchObject({ ok: true, closed: true, objects: 137 });
  const [open, plain] = [
    await openRepository({ location, namingKey, identities: [identity] }),
    await openRepository(GOLDEN),
  ];
  expect(await open.verify({ level: 'data' })).toMatchObject({ ok: true, closed: false });
  const contents = async (repo: typeof plain) => {
    const { parts } = await repo.readManifest((await repo.list())[0]?.id as string);
    const found: string[] = [];
    for (const part of parts) {
      for (const e of await collect(repo.readListing(part))) {
        if (e.object === undefined) continue;
        found.push(`${e.path} ${Buffer.concat(await collect(await repo.readObject(e.object))).toString()}`);
      }
    }
    return found;
  };
  expect(await contents(open)).toEqual(await contents(plain));
});

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openRepository } from '../../../src/repository/index.ts';
import { collect } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const ROOT = join(import.meta.dirname, '../../..');
const GOLDEN = join(ROOT, 'test/fixtures/repository/format-1');

test('a repository of format 1 that an earlier skep wrote is read and verifies', async () => {
  const repo = await openRepository(GOLDEN);
  expect(repo.cluster).toEqual({ name: 'prod', id: 'c-1' });
  const backups = await repo.list();
  expect(backups.map((backup) => backup.state)).toEqual(['complete', 'complete']);
  expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true, objects: 45 });
  const { parts } = await repo.readManifest(backups[0]?.id as string);
  const entries = await collect(repo.readListing(parts[0]!));
  expect(entries.map((entry) => entry.path)).toHaveLength(302);
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
    const { root } = (await repo.readManifest(id)).parts[0]!;
    const script = ['set -euo pipefail', ...recipe]
      .join('\n')
      .replace(/id=2026\S+/, `id=${id}`)
      .replaceAll('REPOSITORY', GOLDEN)
      .replace('walk ROOT', `walk ${root}`);
    const lines = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
    expect(lines[0]).toBe(`n1\tfiles\t${root}`);
    const entries = await collect(repo.readListing({ root }));
    expect(lines.slice(1)).toEqual(entries.map((entry) => `${entry.object}\t${entry.path}`));
  }
});

import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityToRecipient } from 'age-encryption';
import { describe, expect, test, vi } from 'vitest';
import { encodingOf, openRepository } from '../../../src/repository/index.ts';
import { GOLDEN_KEYS, LATER } from './support/make-golden.ts';
import { collect, temporaryFolder } from './support/repository.ts';

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

describe('a repository with a rotation, a copied backup, bytes that replaced damaged ones, and a ballast', () => {
  const location = join(ROOT, 'test/fixtures/golden/format-1/later');
  const { namingKey, identity, secondIdentity } = GOLDEN_KEYS;
  const newestFirst = LATER.map(({ id }) => id).toReversed();
  const openLater = async (at = location) =>
    openRepository({
      location: at,
      namingKey,
      recipients: [await identityToRecipient(secondIdentity)],
      identities: [identity, secondIdentity],
    });

  test('has what it is kept for', async () => {
    for (const folder of ['published', 'renewed', 'damaged', 'ballast-files']) {
      expect(readdirSync(join(location, folder)), folder).not.toEqual([]);
    }
    expect(readdirSync(join(location, 'keys'))).toEqual(['1.json', '2.json']);
    expect(readFileSync(join(location, 'skep.copy.json'))).toEqual(readFileSync(join(location, 'skep.json')));
    const repo = await openLater();
    expect(await repo.readManifest(LATER[0]!.id)).toMatchObject({ copiedFrom: { id: LATER[0]!.id } });
  });

  test('verifies with keys and without, and every content comes back', async () => {
    // Of six, one is expected in the damaged bytes by two backups, and in those of today by the third.
    const whole = { ok: true, objects: 7, findings: [], notes: [], backups: newestFirst };
    expect(await (await openRepository({ location })).verify({ level: 'data' })).toMatchObject(whole);
    const repo = await openLater();
    expect(await repo.verify({ level: 'data' })).toMatchObject({ ...whole, closed: false });
    expect((await repo.list()).map(({ id, state }) => [id, state])).toEqual(newestFirst.map((id) => [id, 'complete']));
    const folder = await temporaryFolder();
    for (const { id, files } of LATER) {
      const { parts } = await repo.readManifest(id);
      for (const part of parts) {
        const found: Record<string, string> = {};
        for (const entry of await collect(repo.readListing(part))) {
          if (entry.linkTo !== undefined) continue;
          const to = join(folder, `${id}-${part.node}-${encodeURIComponent(entry.path)}`);
          await repo.extract(entry.object, to, { prefer: encodingOf(entry) });
          found[entry.path] = readFileSync(to, 'utf8');
        }
        expect(found).toEqual(files[`${part.node} ${part.store}`]);
      }
    }
  });

  test('takes a prune, which removes nothing of it', async () => {
    const at = join(await temporaryFolder(), 'later');
    await cp(location, at, { recursive: true });
    const repo = await openLater(at);
    const owner = { run: 'golden', host: 'h', pid: process.pid };
    const pruned = await repo.prune({ owner, ballastBytes: 1000 });
    expect(pruned).toMatchObject({ objects: 0, pieces: 0, unknown: 0, ballast: 'made', ballastInodes: 32 });
    expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true, objects: 7 });
  });

  test.each(['the script that it carries', 'the script of today'])('is read by %s', async (which) => {
    const folder = await temporaryFolder();
    const keys = join(folder, 'keys');
    await writeFile(keys, `${identity}\n${secondIdentity}\n`);
    const carried = join(location, 'backups', newestFirst[0]!, 'restore.sh');
    const script = which.endsWith('today') ? join(ROOT, 'src/repository/leave/restore.sh') : carried;
    const run = (...args: string[]) => {
      const env = { ...process.env, TMPDIR: folder };
      return spawnSync('sh', [script, '-r', location, '-i', keys, ...args], { encoding: 'utf8', env });
    };
    const listed = run('list').stdout.trim().split('\n');
    expect(listed.map((line) => line.split('\t')[0])).toEqual(newestFirst);
    for (const { id, files } of LATER) {
      expect(run('check', id)).toMatchObject({ status: 0, stderr: '' });
      const to = join(folder, id);
      expect(run('lay-out', id, 'n1', 'files', to)).toMatchObject({ status: 0, stderr: '' });
      for (const [path, content] of Object.entries(files['n1 files']!)) {
        expect(readFileSync(join(to, path), 'utf8')).toBe(content);
      }
    }
  });
});

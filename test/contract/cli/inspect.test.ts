import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Manifest, VerifyReport } from '../../../src/repository/index.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';
import { buildRepository, forgeManifest, T, writeConfig } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

let root: string;
let old: Manifest;
let young: Manifest;

/** Two backups of two stores; `shared` is in both, `only old` and `only young` in one. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-cli-'));
  const built = await buildRepository(root);
  const sstables = { 'sstables/edgestore-1/nb-1-big-Data.db': 'shared' };
  old = await built.backUp({ cassandra: sstables, files: { 'attachment/a': 'only old' } });
  young = await built.backUp({ cassandra: sstables, files: { 'attachment/b': 'only young' } });
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A copy of the repository that a test may damage, and skep on it. */
async function copy() {
  const folder = await temporaryFolder();
  const location = join(folder, 'repository');
  await cp(join(root, 'repository'), location, { recursive: true });
  const config = await writeConfig(folder, { repository: location });
  return {
    location,
    run: (...args: string[]) => skep([...args, '--config', config, '--json']),
    text: (...args: string[]) => skep([...args, '--config', config]),
    object: (content: string) => join(location, 'objects', hashOf(content).slice(0, 2), hashOf(content)),
    manifest: (m: Manifest) => join(location, 'backups', m.id, 'manifest.json'),
  };
}

/** The report of a verify that must have found damage. */
function findingsOf(ran: Awaited<ReturnType<typeof skep>>): VerifyReport['findings'] {
  expect(ran.exitCode).toBe(4);
  expect(errorOf(ran)).toMatchObject({ code: 'damage-found', hint: expect.stringMatching(/`.+`/) });
  const result = ran.events.find((e) => e.type === 'result') as unknown as VerifyReport & { ok: boolean };
  expect(result).toMatchObject({ command: 'verify', ok: false });
  return result.findings;
}

describe('list', () => {
  test('shows every backup, newest first, with its cut and its sizes', async () => {
    const c = await copy();
    const ran = await c.run('list');
    expect(ran.exitCode).toBe(0);
    expect(ran.events).toHaveLength(1);
    expect(ran.events[0]).toMatchObject({ type: 'result', command: 'list' });
    expect(ran.events[0]?.backups).toEqual([
      {
        id: young.id,
        state: 'complete',
        consistency: 'cut',
        T,
        cutAt: '2026-11-23T02:13:20.000001Z',
        startedAt: young.startedAt,
        finishedAt: young.finishedAt,
        files: 2,
        bytes: 16,
        newBytes: 10,
      },
      {
        id: old.id,
        state: 'complete',
        consistency: 'cut',
        T,
        cutAt: '2026-11-23T02:13:20.000001Z',
        startedAt: old.startedAt,
        finishedAt: old.finishedAt,
        files: 2,
        bytes: 14,
        newBytes: 14,
      },
    ]);
    const { stdout } = await c.text('list');
    expect(stdout.split('\n').map((l) => l.split(' ')[0])).toEqual([young.id, old.id, '']);
  });

  test('of an empty repository says so, and of a damaged backup too', async () => {
    const folder = await temporaryFolder();
    const { config } = await buildRepository(folder);
    expect(await skep(['list', '--config', config])).toMatchObject({ exitCode: 0, stdout: 'no backup yet\n' });
    const c = await copy();
    await truncate(c.manifest(old), 100);
    const ran = await c.run('list');
    expect(ran.events[0]?.backups).toMatchObject([
      { id: young.id, state: 'complete' },
      { id: old.id, state: 'damaged', finding: 'manifest-torn' },
    ]);
    expect((await c.text('list')).stdout).toMatch(new RegExp(`${old.id} +DAMAGED +manifest-torn`));
  });
});

describe('show', () => {
  test('tells the cut, its evidence, sizes and what was new', async () => {
    const c = await copy();
    const { events } = await c.run('show', 'latest');
    expect(events[0]).toMatchObject({
      type: 'result',
      command: 'show',
      backup: {
        id: young.id,
        cutMicros: T,
        details: {
          cut: { T, segments: [{ node: 'n1', ids: ['7', '8'] }] },
          search: {
            indices: [
              { name: 'thehive_global', docs: 12 },
              { name: 'thehive-audits-000001', docs: 3 },
            ],
          },
        },
        parts: [
          { store: 'cassandra', newBytes: 0 },
          { store: 'files', newBytes: 10 },
        ],
      },
    });
    expect(events[0]?.backup).not.toHaveProperty('details.schema');
    const { stdout, exitCode } = await c.text('show', old.id.slice(0, -3));
    expect(exitCode).toBe(0);
    for (const part of [
      old.id,
      T,
      '2 segments (7 to 8)',
      '3 mutations kept, 2 after T',
      'thehive_global (12 docs)',
      '1m35s',
    ]) {
      expect(stdout).toContain(part);
    }
  });

  test('of no backup, or of more than one, is exit 2', async () => {
    const c = await copy();
    const ids = ['19990101T000000Z', '2026', 'latest/../x'];
    for (const ran of await Promise.all(ids.map((id) => c.run('show', id)))) {
      expect(ran.exitCode).toBe(2);
      expect(errorOf(ran)).toMatchObject({ code: 'backup-unknown', hint: expect.stringContaining('skep list') });
    }
  });

  test('of a torn manifest is exit 4; `latest` passes it by', async () => {
    const c = await copy();
    await truncate(c.manifest(young), 100);
    const ran = await c.run('show', young.id);
    expect(ran.exitCode).toBe(4);
    expect(errorOf(ran)).toMatchObject({ code: 'manifest-damaged', context: { backup: young.id } });
    expect((await c.run('show', 'latest')).events[0]?.backup).toMatchObject({ id: old.id });
  });
});

describe('what a newer skep has written', () => {
  test('is a version that does not fit, exit 15, and no damage', async () => {
    const c = await copy();
    await forgeManifest(join(c.location, 'backups', young.id), '"format":1', '"format":2');
    const to = join(c.location, '..', 'elsewhere');
    const commands = [
      ['show', young.id],
      ['extract', young.id, '--store', 'files', '--to', to],
      ['restore', young.id, '--dry-run'],
      ['copy', '--to', join(c.location, '..', 'second'), '--init'],
      ['verify'],
    ];
    for (const args of commands) {
      const ran = await c.run(...args);
      expect([args[0], ran.exitCode]).toEqual([args[0], 15]);
      expect(errorOf(ran)).toMatchObject({ code: 'manifest-unsupported', hint: expect.stringContaining('newer') });
    }
    expect((await c.run('verify', old.id)).exitCode).toBe(0);
    expect((await c.text('list')).stdout).toMatch(new RegExp(`${young.id} +UNKNOWN +manifest-unsupported`));
    // What it needs is not known.
    expect((await c.run('prune', '--yes')).exitCode).toBe(4);
    await truncate(c.object('only old'), 3);
    expect(findingsOf(await c.run('verify'))).toHaveLength(2);
  });

  test.each([
    ['format', '"format": 1', '"format": 2'],
    ['features', '"features": []', '"features": ["braided"]'],
  ])('is exit 15 where it is the %s of the repository', async (_, from, to) => {
    const c = await copy();
    const file = join(c.location, 'skep.json');
    const text = (await readFile(file, 'utf8')).replace(/,\s*"sha256": "[0-9a-f]+"/, '');
    await rm(file);
    await writeFile(file, text.replace(from, to));
    const ran = await c.run('list');
    expect(ran.exitCode).toBe(15);
    expect(errorOf(ran)).toMatchObject({ code: 'repository-unsupported' });
  });
});

describe('verify', () => {
  test('of a whole repository is exit 0 at every level', async () => {
    const c = await copy();
    const levels = ['structure', 'presence', 'data'];
    const all = await Promise.all(levels.map((level) => c.run('verify', '--level', level)));
    for (const [i, ran] of all.entries()) {
      expect(ran.exitCode).toBe(0);
      expect(ran.events.find((e) => e.type === 'result')).toMatchObject({
        ok: true,
        level: levels[i],
        backups: [young.id, old.id],
        findings: [],
      });
    }
    expect((await c.text('verify', 'latest', '--level', 'data')).stdout).toMatch(/1 backups, 2 objects, .*all good/);
  });

  test.each(['verify', 'show', 'extract', 'forget'])('of an empty id is refused: %s', async (command) => {
    const folder = await temporaryFolder();
    const built = await buildRepository(folder);
    await built.backUp({ files: { 'attachment/a': 'one' } });
    const more = command === 'extract' ? ['--store', 'files', '--to', join(folder, 'to')] : [];
    const ran = await skep([command, '', ...more, '--config', built.config, '--json']);
    expect(ran.exitCode).toBe(2);
    expect(errorOf(ran)).toMatchObject({ code: 'backup-unknown' });
    expect(await built.repository.list()).toHaveLength(1);
  });

  test('finds details that no restore could use', async () => {
    const c = await copy();
    const manifest = JSON.parse(await readFile(c.manifest(old), 'utf8')) as Manifest;
    await forgeManifest(join(c.location, 'backups', old.id), JSON.stringify(manifest.details), '{"a":1}');
    const found = findingsOf(await c.run('verify', '--level', 'structure'));
    expect(found).toMatchObject([
      { kind: 'manifest-torn', backups: [old.id], message: expect.stringContaining('details.') },
    ]);
    const shown = errorOf(await c.run('show', old.id));
    expect(shown).toMatchObject({ code: 'manifest-damaged', hint: expect.stringContaining(`skep verify ${old.id}`) });
  });

  test('takes back what it has noted when that is right again, and says so', async () => {
    const c = await copy();
    await rename(c.object('shared'), join(c.location, 'away'));
    expect(findingsOf(await c.run('verify'))).toHaveLength(1);
    expect((await c.text('list')).stdout).toContain('DAMAGED');
    await rename(join(c.location, 'away'), c.object('shared'));
    expect((await c.text('verify')).stdout).toMatch(/^1 notes of damage taken back: .*\n2 backups, .*all good/);
    expect((await c.text('list')).stdout).not.toContain('DAMAGED');
  });

  test('finds a flipped byte, and names every backup and path that it hits', async () => {
    const c = await copy();
    const bytes = await readFile(c.object('shared'));
    bytes[2]! ^= 1;
    await rm(c.object('shared'));
    await writeFile(c.object('shared'), bytes);
    const path = 'sstables/edgestore-1/nb-1-big-Data.db';
    expect(findingsOf(await c.run('verify', '--level', 'data'))).toMatchObject([
      {
        kind: 'hash-mismatch',
        backups: [young.id, old.id],
        hits: [
          { backup: young.id, node: 'n1', store: 'cassandra', paths: [path] },
          { backup: old.id, node: 'n1', store: 'cassandra', paths: [path] },
        ],
      },
    ]);
    const { stdout, stderr, exitCode } = await c.text('verify', '--level', 'data');
    expect(exitCode).toBe(4);
    expect(stdout).toContain(`${young.id} n1/cassandra ${path}`);
    expect(stderr).toContain('[damage-found]');
  });

  test('names damage that the next backup makes whole, as the hint says', async () => {
    const folder = await temporaryFolder();
    const built = await buildRepository(folder);
    const stores = { files: { 'attachment/a': 'a content' } };
    await built.backUp(stores);
    const run = (...args: string[]) => skep(['verify', ...args, '--config', built.config, '--json']);
    const hash = hashOf('a content');
    const object = join(built.location, 'objects', hash.slice(0, 2), hash);
    await rm(object);
    await writeFile(object, 'A content');
    expect(findingsOf(await run('--level', 'data'))).toMatchObject([{ kind: 'hash-mismatch' }]);
    await built.backUp(stores);
    const ran = await run('--level', 'data');
    expect(ran.exitCode).toBe(0);
    expect(ran.events.find((e) => e.type === 'result')).toMatchObject({ ok: true, findings: [], notes: [] });
    expect(await readdir(join(built.location, 'leases'))).toEqual([]);
  });

  test('reads parts that together are everything, once', async () => {
    const c = await copy();
    const text = 'shared';
    await rm(c.object(text));
    await writeFile(c.object(text), 'Shared');
    const all = await Promise.all(['1/2', '2/2'].map((part) => c.run('verify', '--level', 'data', '--subset', part)));
    expect(all.map((ran) => ran.exitCode).sort()).toEqual([0, 4]);
    const reports = all.map((ran) => ran.events.find((e) => e.type === 'result') as unknown as VerifyReport);
    expect(reports.map((r) => r.objects)).toEqual([3, 3]);
    expect(reports.reduce((sum, r) => sum + r.read.objects, 0)).toBe(3);
    const whole = await c.text('verify', '--level', 'data', '--subset', '100%');
    expect(whole.stdout).toContain('(read: part 1 of 1, 3 objects');
  });

  test('takes a subset to be one of all bytes', async () => {
    const c = await copy();
    const ran = await c.run('verify', '--subset', '1/1');
    expect(ran.events.find((e) => e.type === 'result')).toMatchObject({ level: 'data', read: { objects: 3 } });
  });

  test('refuses a subset that is none, and one at a level that reads nothing', async () => {
    const c = await copy();
    const lines = [
      ['--level', 'data', '--subset', '3/2'],
      ['--level', 'presence', '--subset', '1/2'],
    ];
    for (const args of lines) {
      const ran = await c.run('verify', ...args);
      expect(ran.exitCode).toBe(2);
      expect(errorOf(ran)).toMatchObject({ code: 'usage', hint: expect.stringContaining('--') as string });
    }
  });

  test('finds a backup whose manifests are both gone, and prune keeps what it needs', async () => {
    const c = await copy();
    await rm(join(c.location, 'backups', old.id), { recursive: true });
    const [finding] = findingsOf(await c.run('verify', '--level', 'structure'));
    expect(finding).toMatchObject({
      kind: 'manifest-missing',
      backups: [old.id],
      hint: expect.stringContaining('forget'),
    });
    const pruned = await c.run('prune', '--yes');
    expect(pruned.exitCode).toBe(4);
    expect(errorOf(pruned)).toMatchObject({
      code: 'damage-found',
      hint: expect.stringContaining(`skep forget ${old.id}`),
    });
    expect((await readFile(c.object('only old'))).toString()).toBe('only old');
  });

  test('says of each kind of finding what mends it, in text and in JSON; an off-site copy does, as it says', async () => {
    const folder = await temporaryFolder();
    const built = await buildRepository(folder);
    const cassandra = { 'commitlog/CommitLog-7-1.log': 'a segment' };
    const { id } = await built.backUp({ cassandra, files: { 'attachment/a': 'an attachment' } });
    const at = ['--config', built.config];
    const offsite = join(folder, 'offsite');
    expect(await skep(['copy', '--to', offsite, '--init', ...at])).toMatchObject({ exitCode: 0 });
    const object = (text: string) => join(built.location, 'objects', hashOf(text).slice(0, 2), hashOf(text));
    await rm(object('a segment'));
    await truncate(object('an attachment'), 3);
    const ran = await skep(['verify', ...at, '--json']);
    const found = new Map(findingsOf(ran).map((f) => [f.kind, f.hint]));
    expect(found.get('object-missing')).toMatch(/No later backup.*commit log segment/);
    expect(found.get('object-truncated')).toMatch(/`skep backup`.*TheHive still has the attachment/);
    for (const hint of found.values()) expect(hint).toContain(`skep copy ${id} --to`);
    const { stdout } = await skep(['verify', ...at]);
    for (const hint of found.values()) expect(stdout).toContain(`  ${hint}\n`);

    const yaml = parse(await readFile(built.config, 'utf8')) as { clusters: { prod: Record<string, unknown> } };
    yaml.clusters.prod['retention'] = { minimum: 0 };
    await writeFile(built.config, stringify(yaml));
    expect(await skep(['forget', id, ...at])).toMatchObject({ exitCode: 0 });
    const other = await writeConfig(folder, { repository: offsite, name: 'prod' });
    expect(await skep(['copy', id, '--to', built.location, '--config', other])).toMatchObject({ exitCode: 0 });
    expect(await skep(['verify', '--level', 'data', ...at])).toMatchObject({ exitCode: 0 });
  });

  test('finds an object that was cut, by its size alone', async () => {
    const c = await copy();
    await truncate(c.object('only young'), 4);
    const found = findingsOf(await c.run('verify'));
    expect(found).toMatchObject([{ kind: 'object-truncated', backups: [young.id] }]);
    expect((await c.run('verify', old.id)).exitCode).toBe(0);
  });

  test('finds an object that is missing', async () => {
    const c = await copy();
    await rm(c.object('only old'));
    expect(findingsOf(await c.run('verify'))).toMatchObject([
      { kind: 'object-missing', hits: [{ backup: old.id, store: 'files', paths: ['attachment/a'] }] },
    ]);
  });

  test('finds a torn manifest at the lowest level', async () => {
    const c = await copy();
    const bytes = await readFile(c.manifest(old));
    await writeFile(c.manifest(old), bytes.subarray(0, bytes.length / 2));
    expect(findingsOf(await c.run('verify', '--level', 'structure'))).toMatchObject([
      { kind: 'manifest-torn', backups: [old.id] },
    ]);
  });

  test('finds a listing whose pieces are gone', async () => {
    const c = await copy();
    await rm(join(c.location, 'listings'), { recursive: true });
    const found = findingsOf(await c.run('verify', '--level', 'structure'));
    expect(new Set(found.flatMap((f) => f.backups))).toEqual(new Set([old.id, young.id]));
  });
});

describe('the repository', () => {
  test('that is not there is exit 10', async () => {
    const folder = await temporaryFolder();
    const config = await writeConfig(folder, { repository: join(folder, 'none') });
    const lines = [['list'], ['show', 'latest'], ['verify'], ['restore', 'latest', '--dry-run']];
    const env = { SKEP_STATE: join(folder, 'state') };
    const all = lines.map((args) => skep([...args, '--config', config, '--json'], { env }));
    for (const ran of await Promise.all(all)) {
      expect(ran.exitCode).toBe(10);
      expect(errorOf(ran)).toMatchObject({ code: 'repository-missing', hint: expect.stringContaining('skep init') });
    }
    expect(await readdir(folder)).toEqual(['skep.yaml']);
  });

  test('of another cluster is exit 10', async () => {
    const folder = await temporaryFolder();
    const config = await writeConfig(folder, { repository: join(root, 'repository'), name: 'staging' });
    const ran = await skep(['list', '--config', config, '--json']);
    expect(ran.exitCode).toBe(10);
    expect(errorOf(ran)).toMatchObject({ code: 'repository-foreign', message: expect.stringContaining('prod') });
  });

  test('whose skep.json cannot be read is exit 4', async () => {
    const c = await copy();
    await writeFile(join(c.location, 'skep.json'), '{');
    const ran = await c.run('list');
    expect(ran.exitCode).toBe(4);
    expect(errorOf(ran)).toMatchObject({ code: 'repository-damaged' });
  });
});

import { execFileSync, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { cp, mkdir, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type FileEntry, type Manifest, openRepository, type Repository } from '../../../../src/repository/index.ts';
import { objectKey, pieceKey } from '../../../../src/repository/format/names.ts';
import { collect, temporaryFolder } from '../support/repository.ts';
import { GOLDEN_KEYS, ODD_NAMES } from '../support/make-golden.ts';
import { RESTORE_TOOLS } from '../support/restore-tools.ts';

vi.setConfig({ testTimeout: 120_000 });

const GOLDEN = join(import.meta.dirname, '../../../fixtures/golden/format-1/plain');
interface Scene {
  location: string;
  repository: Repository;
  manifest: Manifest;
  /** Runs the script that the backup carries, with no other tools than it may need. */
  run(...args: string[]): { status: number | null; stdout: string; stderr: string };
  path(key: string): string;
}

/** A repository that was copied away, as a test may damage it; the newest backup. */
async function scene(): Promise<Scene> {
  const folder = await temporaryFolder();
  const [location, bin] = [join(folder, 'copied away'), join(folder, 'bin')];
  await cp(GOLDEN, location, { recursive: true });
  await mkdir(bin);
  for (const tool of RESTORE_TOOLS) {
    symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(bin, tool));
  }
  const shell = execFileSync('sh', ['-c', 'command -v dash || command -v sh'], { encoding: 'utf8' }).trim();
  const repository = await openRepository(location);
  const manifest = await repository.readManifest((await repository.list())[0]?.id as string);
  const script = join(location, 'backups', manifest.id, 'restore.sh');
  return {
    location,
    repository,
    manifest,
    run: (...args) => spawnSync(shell, [script, ...args], { encoding: 'utf8', env: { PATH: bin, TMPDIR: folder } }),
    path: (key) => join(location, key),
  };
}

function part(s: Scene, store: string): Manifest['parts'][number] {
  return s.manifest.parts.find((p) => p.store === store) as Manifest['parts'][number];
}

async function filesOf(s: Scene, store: string): Promise<FileEntry[]> {
  const entries = await collect(s.repository.readListing(part(s, store)));
  return entries.filter((e): e is FileEntry => e.linkTo === undefined);
}

async function content(s: Scene, { object }: FileEntry): Promise<string> {
  return Buffer.concat(await collect(await s.repository.readObject(object))).toString();
}

/** Lays a part out and compares every file with what the library reads. */
async function layOut(s: Scene, store: string, to: string): Promise<ReturnType<Scene['run']>> {
  const ran = s.run('lay-out', s.manifest.id, part(s, store).node, store, to);
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  for (const file of await filesOf(s, store)) {
    expect(readFileSync(join(to, file.path), 'utf8'), file.path).toBe(await content(s, file));
  }
  return ran;
}

function attachment(i: number): string {
  return `attachment/${hash('sha256', `attachment ${i}`)}`;
}

describe('the script that a backup carries', () => {
  test('lists the backups with their cut, and what one consists of', async () => {
    const s = await scene();
    const { status, stdout } = s.run('list');
    expect(status).toBe(0);
    const [newest, oldest] = stdout.split('\n');
    expect(newest).toBe(`${s.manifest.id}\tcomplete\tprod\tcut 2026-01-01T01:00:00Z\t139 files\t5279 bytes`);
    expect(oldest).toMatch(/^20260101T000000Z-/);
    expect(s.run('parts', s.manifest.id).stdout).toBe(
      'n1\tcassandra\t5\t1841\nn2\telasticsearch\t3\t22\nn1\tfiles\t131\t3416\n',
    );
    expect(JSON.parse(s.run('details', s.manifest.id).stdout)).toEqual(s.manifest.details);
    expect(s.run('check', s.manifest.id)).toMatchObject({ status: 0, stdout: expect.stringContaining('139 files') });
  });

  test('lays out every store with each file as it was: odd names, modes, links, empty and compressed ones', async () => {
    const s = await scene();
    const to = join(s.location, '..', 'out');
    for (const store of ['cassandra', 'elasticsearch', 'files']) await layOut(s, store, join(to, store));
    expect(statSync(join(to, 'files/application.conf')).mode & 0o777).toBe(0o600);
    expect(statSync(join(to, 'files/twice/b')).mode & 0o777).toBe(0o640);
    expect(statSync(join(to, 'elasticsearch/empty')).size).toBe(0);
    expect(await readlink(join(to, 'files/link'))).toBe('application.conf');
    for (const [i, name] of ODD_NAMES.entries()) {
      expect(readFileSync(join(to, 'files/odd', name), 'utf8')).toBe(`odd content ${i}`);
    }
    expect(
      s
        .run('files', s.manifest.id, 'n1', 'files', 'odd/')
        .stdout.trim()
        .split('\n')
        .map((l) => JSON.parse(l))
        .sort(),
    ).toEqual(ODD_NAMES.map((name) => `odd/${name}`).sort());
  });

  test('lays out what is below a prefix, which it cuts off', async () => {
    const s = await scene();
    const to = join(s.location, '..', 'commitlog');
    expect(s.run('lay-out', s.manifest.id, 'n1', 'cassandra', to, 'replay/')).toMatchObject({ status: 0 });
    expect(execFileSync('ls', ['-A', to], { encoding: 'utf8' })).toBe('CommitLog-7-1767225600002.log\n');
  });

  test('goes on where it was interrupted: what is right stays, what is cut, changed or missing comes again', async () => {
    const s = await scene();
    const to = join(s.location, '..', 'out');
    await layOut(s, 'files', to);
    const inode = (name: string): number => statSync(join(to, name)).ino;
    const kept = inode(attachment(7));
    truncateSync(join(to, 'twice/a'), 3);
    rmSync(join(to, 'twice/b'));
    writeFileSync(join(to, attachment(1)), 'attachment X');
    chmodSync(join(to, 'application.conf'), 0o400);
    appendFileSync(join(to, attachment(2)), 'more');
    await layOut(s, 'files', to);
    expect(inode(attachment(7))).toBe(kept);
  });

  test('says what is wrong with its arguments', async () => {
    const s = await scene();
    expect(s.run()).toMatchObject({ status: 2, stderr: expect.stringContaining('lay-out ID NODE STORE FOLDER') });
    expect(s.run('check', '20990101T000000Z-000000000000')).toMatchObject({ status: 2 });
    expect(s.run('check', '../x').status).toBe(2);
    expect(s.run('lay-out', s.manifest.id, 'n9', 'files', '/tmp/x').stderr).toContain('has no files of node n9');
    expect(s.run('-r', '/', 'list').status).toBe(10);
  });
});

describe('the script of a sealed repository', () => {
  /** The sealed one beside the plain one that has the same files. */
  async function sealedScene(): Promise<{
    plain: Scene;
    key: string;
    run: (...args: string[]) => ReturnType<Scene['run']>;
  }> {
    const plain = await scene();
    const folder = join(plain.location, '..');
    await cp(join(GOLDEN, '../sealed'), join(folder, 'sealed'), { recursive: true });
    const key = join(folder, 'identity');
    writeFileSync(key, `${GOLDEN_KEYS.identity}\n`);
    return { plain, key, run: (...args) => plain.run('-r', join(folder, 'sealed'), ...args) };
  }

  test('lays out every store as the plain one does, with the identity and not without', async () => {
    const { plain, key, run } = await sealedScene();
    const { id } = plain.manifest;
    expect(run('check', id)).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(run('-i', key, 'details', id).stdout)).toEqual(plain.manifest.details);
    for (const { node, store } of plain.manifest.parts) {
      const to = join(plain.location, '..', `out-${store}`);
      expect(run('lay-out', id, node, store, to)).toMatchObject({ status: 12, stdout: '' });
      expect(run('-i', key, 'lay-out', id, node, store, to)).toMatchObject({ status: 0, stderr: '' });
      for (const file of await filesOf(plain, store)) {
        expect(readFileSync(join(to, file.path), 'utf8'), file.path).toBe(await content(plain, file));
      }
    }
  });

  test('names an object that is flipped, with and without the identity', async () => {
    const { plain, key, run } = await sealedScene();
    const sealed = join(plain.location, '..', 'sealed');
    const objects = readdirSync(join(sealed, 'objects'), { recursive: true, encoding: 'utf8' });
    const victim = objects.find((name) => name.endsWith('.zst.age')) as string;
    const bytes = readFileSync(join(sealed, 'objects', victim));
    bytes[bytes.length - 3]! ^= 1;
    writeFileSync(join(sealed, 'objects', victim), bytes);
    const { id } = plain.manifest;
    for (const args of [[], ['-i', key]]) {
      expect(run(...args, 'check', id)).toMatchObject({ status: 4, stderr: expect.stringContaining(victim) });
    }
  });
});

describe('damage', () => {
  const STORE = 'cassandra';

  /** The damaged file is named, the exit code is 4, and nothing damaged is laid out. */
  async function expectDamage(s: Scene, ...named: string[]): Promise<void> {
    const to = join(s.location, '..', 'out');
    await mkdir(to);
    const ran = s.run('lay-out', s.manifest.id, part(s, STORE).node, STORE, to);
    expect(ran.status).toBe(4);
    for (const text of named) expect(ran.stderr).toContain(text);
    expect(s.run('check', s.manifest.id)).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(named[0] as string),
    });
    const expected = new Map((await filesOf(s, STORE).catch(() => [])).map((f) => [f.path, f.object]));
    for (const e of readdirSync(to, { recursive: true, withFileTypes: true })) {
      if (!e.isFile()) continue;
      const path = relative(to, join(e.parentPath, e.name));
      expect(hash('sha256', readFileSync(join(to, path)))).toBe(expected.get(path));
    }
  }

  function flip(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  }

  test.each([
    ['flipped', 'raw'],
    ['cut', 'raw'],
    ['deleted', 'raw'],
    ['flipped', 'zstd'],
    ['cut', 'zstd'],
    ['deleted', 'zstd'],
  ] as const)('of an object that is %s (%s) is named, with the file it holds', async (how, encoding) => {
    const s = await scene();
    const file = (await filesOf(s, STORE)).find((f) => (f.stored?.encoding ?? 'raw') === encoding) as FileEntry;
    const key = objectKey(file.object, encoding);
    if (how === 'flipped') flip(s.path(key), 6);
    else if (how === 'cut') truncateSync(s.path(key), 6);
    else rmSync(s.path(key));
    await expectDamage(s, key, file.path);
  });

  test.each(['flipped', 'cut', 'deleted', 'swapped'])('of a piece of a listing that is %s is named', async (how) => {
    const s = await scene();
    const key = pieceKey(part(s, STORE).root, 'zstd');
    if (how === 'flipped') flip(s.path(key), 20);
    else if (how === 'cut') truncateSync(s.path(key), 40);
    else if (how === 'deleted') rmSync(s.path(key));
    else writeFileSync(s.path(key), readFileSync(s.path(pieceKey(part(s, 'files').root, 'zstd'))));
    await expectDamage(s, part(s, STORE).root);
  });

  test('of a manifest is told; the copy beside it does for it', async () => {
    const s = await scene();
    const [manifest, copy] = ['manifest.json', 'manifest.copy.json'].map((f) =>
      s.path(`backups/${s.manifest.id}/${f}`),
    );
    flip(manifest as string, 60);
    expect(s.run('check', s.manifest.id)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('manifest.json'),
    });
    truncateSync(copy as string, 500);
    expect(s.run('check', s.manifest.id).status).toBe(4);
    expect(s.run('list')).toMatchObject({ status: 4, stdout: expect.stringContaining(`${s.manifest.id}\tDAMAGED`) });
  });

  test('of what lies beside the manifest is found', async () => {
    const s = await scene();
    appendFileSync(s.path(`backups/${s.manifest.id}/RESTORE.md`), 'x');
    expect(s.run('check', s.manifest.id)).toMatchObject({ status: 4, stderr: expect.stringContaining('RESTORE.md') });
  });

  test('a file that cannot be written is not damage', async () => {
    const s = await scene();
    const to = join(s.location, '..', 'out');
    await mkdir(join(to, 'empty/in the way'), { recursive: true });
    const ran = s.run('lay-out', s.manifest.id, 'n2', 'elasticsearch', to);
    expect(ran).toMatchObject({ status: 1, stderr: expect.stringContaining('empty could not be written') });
    expect(ran.stderr).not.toContain('DAMAGE');
  });
});

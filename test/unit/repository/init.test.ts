import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { initRepository, openRepository } from '../../../src/repository/index.ts';
import { initOnBackend } from '../../../src/repository/repository.ts';
import { backUp, CLUSTER, memoryRepository, temporaryFolder } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

describe('a new repository', () => {
  test('is opened again with its id and cluster', async () => {
    const location = join(await temporaryFolder(), 'deep', 'repo');
    const made = await initRepository(location, CLUSTER);
    const opened = await openRepository(location);
    expect(opened.id).toBe(made.id);
    expect(opened.cluster).toEqual({ name: 'prod', id: 'c-1' });
    expect(await opened.list()).toEqual([]);
    expect((await opened.verify({ level: 'data' })).ok).toBe(true);
    expect((await readdir(location)).sort()).toEqual(['incoming', 'skep.copy.json', 'skep.json']);
  });

  test('is made once', async () => {
    const location = join(await temporaryFolder(), 'repo');
    const { id } = await initRepository(location, CLUSTER);
    await expect(initRepository(location, CLUSTER)).rejects.toMatchObject({ code: 'repository-exists' });
    expect((await openRepository(location)).id).toBe(id);
  });

  test('is not made where there are backups and skep.json is lost: another id would hide that', async () => {
    const location = join(await temporaryFolder(), 'repo');
    await backUp(await initRepository(location, CLUSTER), { a: 'one' });
    await rm(join(location, 'skep.json'));
    const lost = { code: 'repository-damaged', message: expect.stringContaining('no skep.json') };
    await expect(initRepository(location, CLUSTER)).rejects.toMatchObject(lost);
    await expect(openRepository(location)).rejects.toMatchObject(lost);
  });

  test.each([
    ['lost', (path: string) => rm(path)],
    ['torn', async (path: string) => (await rm(path), await writeFile(path, '{"form'))],
    ['empty', async (path: string) => (await rm(path), await writeFile(path, ''))],
    ['a folder', async (path: string) => (await rm(path), await mkdir(path))],
  ])('whose skep.json is %s says how it comes back from its copy', async (_, harm) => {
    const location = join(await temporaryFolder(), 'repo');
    const { id } = await initRepository(location, CLUSTER);
    await harm(join(location, 'skep.json'));
    const error: unknown = await openRepository(location).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'repository-damaged', hint: expect.stringContaining('Its copy is whole') });
    const command = /`(.*?cp .*?)`/.exec((error as SkepError).hint)?.[1] as string;
    execFileSync('sh', ['-ec', command], { cwd: location });
    expect((await openRepository(location)).id).toBe(id);
  });

  test('of an older version gets its copy from the next writer, or prune', async () => {
    const { repo, backend } = await memoryRepository();
    const owner = { run: 'r', host: 'h', pid: 1 };
    for (const write of [
      async () => (await repo.acquireLease('write', owner)).release(),
      () => repo.prune({ owner, wait: false }),
    ]) {
      for (const harm of [
        () => backend.contents.delete('skep.copy.json'),
        () => backend.contents.set('skep.copy.json', Buffer.from('{')),
      ]) {
        harm();
        await write();
        expect(backend.contents.get('skep.copy.json')).toEqual(backend.contents.get('skep.json'));
      }
    }
  });

  test('of two that are made at once one wins', async () => {
    const location = join(await temporaryFolder(), 'repo');
    const made = await Promise.allSettled([initRepository(location, CLUSTER), initRepository(location, CLUSTER)]);
    const won = made.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    expect((await openRepository(location)).id).toBe(won[0]?.value.id);
  });

  class Overwriting extends MemoryBackend {
    override async put(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
      return super.put(key, bytes, { overwrite: true });
    }
  }
  class Forgetful extends MemoryBackend {
    override async sizes(keys: readonly string[]): Promise<undefined[]> {
      return keys.map(() => undefined);
    }
  }
  class Unlisted extends MemoryBackend {
    override async *list(): AsyncIterable<never> {}
  }

  test.each([
    ['overwrites what exists', new Overwriting(), 'create-only'],
    ['forgets what was written', new Forgetful(), 'sizes'],
    ['lists nothing', new Unlisted(), 'listed'],
  ])('is refused by storage that %s', async (_, backend, message) => {
    await expect(initOnBackend(backend, CLUSTER)).rejects.toMatchObject({
      code: 'repository-unfit',
      message: expect.stringContaining(message) as string,
    });
    expect(backend.contents.has('skep.json')).toBe(false);
  });

  test('on a full disk is no-space', async () => {
    const backend = new MemoryBackend();
    backend.put = () => Promise.reject(new SkepError('no-space', 'full'));
    await expect(initOnBackend(backend, CLUSTER)).rejects.toMatchObject({ code: 'no-space' });
  });
});

test('a repository is made neither in another one nor around one, links followed', async () => {
  const folder = await temporaryFolder();
  await initRepository(join(folder, 'outer'), CLUSTER);
  await symlink(join(folder, 'outer'), join(folder, 'link'));
  const refused = { code: 'usage', message: expect.stringContaining('in one another') };
  for (const place of ['outer/objects/x', 'outer/a/b/c', 'link/x', '.']) {
    await expect(initRepository(join(folder, place), CLUSTER)).rejects.toMatchObject(refused);
  }
  await expect(initRepository(join(folder, 'outer'), CLUSTER)).rejects.toMatchObject({ code: 'repository-exists' });
  await expect(initRepository(join(folder, 'beside'), CLUSTER)).resolves.toBeDefined();
});

describe('a location without a repository', () => {
  test('is told, whether the folder is there or not', async () => {
    const folder = await temporaryFolder();
    await expect(openRepository(folder)).rejects.toMatchObject({ code: 'repository-missing' });
    await expect(openRepository(join(folder, 'absent'))).rejects.toMatchObject({ code: 'repository-missing' });
    await expect(openRepository('relative/path')).rejects.toMatchObject({ code: 'config-invalid' });
  });

  test.each([
    ['not JSON', 'hello', 'repository-damaged'],
    ['of another program', '{"version":2,"id":"abc"}', 'repository-damaged'],
    ['of a later format', '{"format":2}', 'repository-unsupported'],
  ])('with a skep.json that is %s is refused', async (_, content, code) => {
    const folder = join(await temporaryFolder(), 'repo');
    await mkdir(folder);
    await writeFile(join(folder, 'skep.json'), content);
    await expect(openRepository(folder)).rejects.toMatchObject({ code });
    await expect(initRepository(folder, CLUSTER)).rejects.toMatchObject({ code: 'repository-exists' });
  });
});

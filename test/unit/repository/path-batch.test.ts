import fs, { existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { linkCreateOnly } from '../../../src/repository/backend/path/link.ts';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import * as sync from '../../../src/repository/backend/path/sync.ts';
import { initRepository } from '../../../src/repository/index.ts';
import { CLUSTER, nextBackupId, temporaryFolder } from './support/repository.ts';

vi.mock('../../../src/repository/backend/path/sync.ts', { spy: true });

afterEach(() => void vi.mocked(sync.syncFilesystem).mockReset());

const KEYS = Array.from({ length: 50 }, (_, i) => `objects/${String(i % 7).padStart(2, '0')}/${i}`);

test('a group is synced once before any of it has its final name, and once after all have', async () => {
  const folder = await temporaryFolder();
  const seen: { named: number; staged: string[] }[] = [];
  vi.mocked(sync.syncFilesystem).mockImplementation(async () => {
    const staged = readdirSync(join(folder, 'incoming/r/w'));
    const named = KEYS.filter((key) => existsSync(join(folder, key))).length;
    seen.push({ named, staged: staged.map((name) => readFileSync(join(folder, 'incoming/r/w', name), 'utf8')) });
  });
  const batch = new PathBackend(folder).openBatch('incoming/r/w/');
  for (const key of KEYS) batch.add(await batch.stageBytes(Buffer.from(key)), key, 'fail');
  await batch.flush();
  expect(seen.map(({ named }) => named)).toEqual([0, 50]);
  expect(seen[0]?.staged.sort()).toEqual([...KEYS].sort());
  expect(readdirSync(join(folder, 'incoming/r/w'))).toEqual([]);
  await batch.close();
});

test('when the first sync fails nothing gets its final name', async () => {
  const folder = await temporaryFolder();
  vi.mocked(sync.syncFilesystem).mockRejectedValueOnce(new Error('EIO'));
  const batch = new PathBackend(folder).openBatch('incoming/r/w/');
  batch.add(await batch.stageBytes(Buffer.from('x')), 'objects/aa/x', 'fail');
  await expect(batch.flush()).rejects.toThrow('EIO');
  await batch.close();
  expect(existsSync(join(folder, 'objects'))).toBe(false);
});

test('a link that is told to exist but is ours, as NFS may say, has succeeded; another one has not', async () => {
  const folder = await temporaryFolder();
  const [ours, final] = [join(folder, 'ours'), join(folder, 'final')];
  writeFileSync(ours, 'content');
  linkSync(ours, final);
  expect(linkCreateOnly(ours, final)).toBe(true);
  writeFileSync(join(folder, 'other'), 'content');
  expect(linkCreateOnly(join(folder, 'other'), final)).toBe(false);
});

test.each(['EPERM', 'EOPNOTSUPP'])(
  'a filesystem without hard links is named, by init and by a backup: %s',
  async (code) => {
    const folder = await temporaryFolder();
    const repo = await initRepository(join(folder, 'before'), CLUSTER);
    const real = fs.linkSync;
    onTestFinished(() => {
      fs.linkSync = real;
      syncBuiltinESMExports();
    });
    fs.linkSync = () => {
      throw Object.assign(new Error('no'), { code });
    };
    syncBuiltinESMExports();
    const unfit = { code: 'repository-unfit', message: expect.stringContaining('hard links') as string };
    await expect(initRepository(join(folder, 'repo'), CLUSTER)).rejects.toMatchObject(unfit);
    expect(existsSync(join(folder, 'repo', 'skep.json'))).toBe(false);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    await writer.putBytes(Buffer.from('x'));
    await expect(writer.flush()).rejects.toMatchObject(unfit);
    await writer.abort();
  },
);

import { execFile, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { temporaryFolder } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

// A mount namespace of its own: the small filesystem goes away with the process, however the test ends.
const UNSHARE = ['--map-root-user', '--mount'];
const canMount = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;

if (!canMount) process.stderr.write('SKIPPED: no mount namespaces here, so no small filesystem to fill\n');

/** Runs a script on a filesystem of so many bytes, and gives what it prints. */
async function onSmallDisk(script: string, size: string, ...more: string[]): Promise<unknown> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'small'));
  const mount = 'mount -t tmpfs -o "size=$1" tmpfs "$2/small" && shift && exec "$2" "$3" "$1/small" "${4:-$1}"';
  const path = join(import.meta.dirname, 'support', script);
  const args = [...UNSHARE, 'sh', '-c', mount, 'sh', size, folder, process.execPath, path, ...more];
  const { stdout } = await promisify(execFile)('unshare', args);
  return JSON.parse(stdout);
}

test.skipIf(!canMount)(
  'on a full disk a run fails with no-space, and older backups and the next one are whole',
  async () => {
    expect(await onSmallDisk('full-disk-process.ts', '5m')).toEqual({
      codes: ['no-space', 'no-space'],
      left: ['put'],
      ok: true,
      backups: 2,
    });
  },
);

test.skipIf(!canMount)('a disk without a free inode is a full disk too', async () => {
  expect(await onSmallDisk('full-disk-process.ts', '300m,nr_inodes=90')).toEqual({
    codes: ['no-space', 'no-space'],
    left: ['put'],
    ok: true,
    backups: 2,
  });
});

test.skipIf(!canMount)('on a disk without a free byte forget and prune work, and then a backup does', async () => {
  const seen = await onSmallDisk('full-disk-prune-process.ts', '6m');
  expect(seen).toMatchObject({
    failed: 'no-space',
    full: 0,
    forgot: 'fine',
    pruned: { objects: 1, ballast: 'made' },
    again: 'fine',
    ok: true,
    backups: 2,
  });
  expect((seen as { freed: number }).freed).toBeGreaterThan(400_000);
});

test.skipIf(!canMount)('so they do where the ballast that was asked for is larger than the disk', async () => {
  const seen = await onSmallDisk('full-disk-prune-process.ts', '6m', 'large');
  expect(seen).toMatchObject({
    failed: 'no-space',
    full: 0,
    forgot: 'fine',
    pruned: { objects: 1, ballast: 'smaller' },
    again: 'fine',
    ok: true,
    backups: 2,
  });
});

test.skipIf(!canMount)('CONTROL: without a ballast neither has room for its lease', async () => {
  const seen = await onSmallDisk('full-disk-prune-process.ts', '6m', 'without');
  expect(seen).toMatchObject({ full: 0, forgot: 'no-space', pruned: { code: 'no-space' }, ok: true });
});

const NO_INODE = { code: 'no-space', hint: expect.stringContaining('inodes') };

test.skipIf(!canMount)('on a disk with room but without a free inode forget and prune work too', async () => {
  expect(await onSmallDisk('full-inodes-process.ts', '64m,nr_inodes=400')).toMatchObject({
    full: 0,
    failed: NO_INODE,
    forgot: 'fine',
    pruned: { objects: 1, ballast: 'made' },
    inodes: 32,
    ok: true,
    backups: 1,
  });
});

test.skipIf(!canMount)('CONTROL: they do not with the ballast of an older version, which has only bytes', async () => {
  expect(await onSmallDisk('full-inodes-process.ts', '64m,nr_inodes=400', 'old')).toMatchObject({
    full: 0,
    pruned: { code: 'no-space' },
    ok: true,
  });
});

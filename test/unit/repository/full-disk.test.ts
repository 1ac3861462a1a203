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

test.skipIf(!canMount)(
  'on a full disk a run fails with no-space, and older backups and the next one are whole',
  async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'small'));
    const mount = 'mount -t tmpfs -o size=5m tmpfs "$1/small" && exec "$2" "$3" "$1/small" "$1"';
    const script = join(import.meta.dirname, 'support/full-disk-process.ts');
    const args = [...UNSHARE, 'sh', '-c', mount, 'sh', folder, process.execPath, script];
    const { stdout } = await promisify(execFile)('unshare', args);
    expect(JSON.parse(stdout)).toEqual({ codes: ['no-space', 'no-space'], left: ['put'], ok: true, backups: 2 });
  },
);

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { syncFilesystem } from '../../../src/repository/backend/path/sync.ts';
import { temporaryFolder } from './support/repository.ts';

afterEach(() => vi.unstubAllEnvs());

/** A `sync` that fails as coreutils' does. */
async function failingSync(why: string): Promise<void> {
  const bin = await temporaryFolder();
  writeFileSync(join(bin, 'sync'), `#!/bin/sh\necho "sync: error syncing '$2': ${why}" >&2\nexit 1\n`);
  chmodSync(join(bin, 'sync'), 0o755);
  vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
}

test.each([
  ['No space left on device', 'no-space'],
  ['Disk quota exceeded', 'no-space'],
  ['Input/output error', 'repository-failed'],
])('a sync that fails with "%s" is %s', async (why, code) => {
  await failingSync(why);
  await expect(syncFilesystem('/tmp')).rejects.toMatchObject({ code });
});

import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import { collect, temporaryFolder } from './support/repository.ts';

test('a stream that the filesystem breaks off fails with a typed error that names the key', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'objects', 'ab'), { recursive: true });
  // A file that can be opened and not be read at its beginning: no broken disk is needed.
  await symlink('/proc/self/mem', join(folder, 'objects', 'ab', 'key'));
  const stream = await new PathBackend(folder).read('objects/ab/key');
  await expect(collect(stream)).rejects.toMatchObject({
    code: 'repository-failed',
    message: expect.stringContaining('objects/ab/key'),
  });
});

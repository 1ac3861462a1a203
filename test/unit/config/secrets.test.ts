import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SecretSource } from '../../../src/config/schema.ts';
import { readIdentities, readSecret } from '../../../src/config/secrets.ts';
import { temporaryFolder } from '../support/folder.ts';

const SECRET = 's3cr3t "word"';

describe('a secret', () => {
  test('comes from a file, a variable or a command: its first line', async () => {
    const file = join(await temporaryFolder(), 'password');
    await writeFile(file, `${SECRET}\r\nsecond\n`);
    vi.stubEnv('SKEP_TEST_SECRET', SECRET);
    onTestFinished(() => void vi.unstubAllEnvs());
    const sources: SecretSource[] = [{ file }, { env: 'SKEP_TEST_SECRET' }, { command: ['cat', file] }];
    for (const source of sources) expect(await readSecret(source, 'cassandra.password')).toBe(SECRET);
  });

  test('that is not to be had, or is empty, is told by its source and its use', async () => {
    const folder = await temporaryFolder();
    const empty = join(folder, 'empty');
    await writeFile(empty, '\nsecond line\n');
    const sources: [SecretSource, string][] = [
      [{ file: join(folder, 'none') }, 'none'],
      [{ file: empty }, 'empty'],
      [{ file: folder }, 'file'],
      [{ env: 'SKEP_TEST_NOT_SET' }, 'SKEP_TEST_NOT_SET'],
      [{ command: ['true'] }, 'true'],
      [{ command: ['/none/pass', 'show'] }, '/none/pass'],
    ];
    for (const [source, named] of sources) {
      await expect(readSecret(source, 'cassandra.password')).rejects.toMatchObject({
        code: 'secret-unreadable',
        exitCode: 12,
        message: expect.stringMatching(new RegExp(`cassandra\\.password.*${named}`)),
      });
    }
  });

  test('is not in the error of the command that printed it and failed', async () => {
    const script = join(await temporaryFolder(), 'pass');
    await writeFile(script, `#!/bin/sh\necho '${SECRET}'; echo '${SECRET}' >&2; exit 1\n`);
    await chmod(script, 0o700);
    const error: unknown = await readSecret({ command: [script, SECRET] }, 'x').catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'secret-unreadable' });
    expect((error as Error).cause).toBeUndefined();
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('s3cr3t');
  });
});

describe('identities', () => {
  test('are all lines of a file but comments and empty ones', async () => {
    const file = join(await temporaryFolder(), 'identities');
    await writeFile(file, '# created: today\r\n\r\nONE\r\n  TWO\n');
    expect(await readIdentities({ file }, '--identity')).toEqual(['ONE', 'TWO']);
  });

  test('that are not there are not asked for in one line', async () => {
    const folder = await temporaryFolder();
    const [empty, comments] = [join(folder, 'empty'), join(folder, 'comments')];
    await writeFile(empty, '');
    await writeFile(comments, '# public key: age1\n');
    for (const file of [empty, comments, join(folder, 'none')]) {
      await expect(readIdentities({ file }, '--identity')).rejects.toMatchObject({
        code: 'secret-unreadable',
        message: expect.stringMatching(/--identity.*skep/),
        hint: expect.stringContaining('one or several, each in a line'),
      });
    }
  });
});

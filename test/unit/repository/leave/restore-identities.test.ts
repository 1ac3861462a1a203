import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test, vi } from 'vitest';
import { initRepository, openRepository } from '../../../../src/repository/index.ts';
import { backUp, CLUSTER, temporaryFolder } from '../support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

const shell = execFileSync('sh', ['-c', 'command -v dash || command -v sh'], { encoding: 'utf8' }).trim();

/** Two backups that share a content; the keys were rotated between them. */
async function scene() {
  const folder = await temporaryFolder();
  const location = join(folder, 'repo');
  const [old, young] = [await generateX25519Identity(), await generateX25519Identity()];
  const accessFor = async (identity: string) => ({
    location,
    namingKey: 'a'.repeat(64),
    recipients: [await identityToRecipient(identity)],
  });
  const before = await backUp(await initRepository(await accessFor(old), CLUSTER), { shared: 'shared', a: 'old' });
  await (await openRepository(await accessFor(young))).rotateKeys();
  const after = await backUp(await openRepository(await accessFor(young)), { shared: 'shared', b: 'young' });
  const identity = async (...keys: string[]): Promise<string> => {
    const file = join(folder, `identity-${keys.length}-${keys[0]?.slice(-9)}`);
    await writeFile(file, keys.map((key) => `${key}\n`).join(''));
    return file;
  };
  const script = join(location, 'backups', after.id, 'restore.sh');
  const env = { ...process.env, TMPDIR: folder };
  const run = (...args: string[]) => spawnSync(shell, [script, ...args], { encoding: 'utf8', env });
  const out = join(folder, 'out');
  return {
    location,
    before,
    after,
    run,
    out,
    old: await identity(old),
    young: await identity(young),
    both: await identity(old, young),
  };
}

const NEEDS_OLDER = { status: 12, stderr: expect.stringContaining('needs an older identity too') };

test('what only an older identity opens is told as such, and not as damage; the rest is laid out', async () => {
  const s = await scene();
  const layOut = (identity: string) => s.run('-i', identity, 'lay-out', s.after.id, 'n1', 'files', s.out);
  const ran = layOut(s.young);
  expect(ran).toMatchObject(NEEDS_OLDER);
  expect(ran.stderr).toContain('it holds ./shared');
  expect(ran.stderr).not.toContain('DAMAGE');
  expect(readdirSync(s.out)).toEqual(['b']);
  expect(layOut(s.both)).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(join(s.out, 'shared'), 'utf8')).toBe('shared');
});

test.each(['check', 'details', 'files', 'lay-out'])(
  '%s with an identity that fits nothing of it ends with 12',
  async (command) => {
    const s = await scene();
    const place = { check: [], details: [], files: ['n1', 'files'], 'lay-out': ['n1', 'files', s.out] }[command];
    const ran = s.run('-i', s.young, command, s.before.id, ...place!);
    expect(ran).toMatchObject({ ...NEEDS_OLDER, stdout: '' });
    expect(ran.stderr).not.toContain('DAMAGE');
    expect(s.run('-i', s.old, command, s.before.id, ...place!)).toMatchObject({ status: 0, stderr: '' });
  },
);

test.each(['objects', 'listings'])('a flipped bit in an age header below %s is damage all the same', async (folder) => {
  const s = await scene();
  for (const name of readdirSync(join(s.location, folder), { recursive: true, encoding: 'utf8' })) {
    const path = join(s.location, folder, name);
    if (!name.endsWith('.age')) continue;
    const bytes = readFileSync(path);
    bytes[40]! ^= 1;
    await chmod(path, 0o640);
    await writeFile(path, bytes);
  }
  const ran = s.run('-i', s.both, 'lay-out', s.after.id, 'n1', 'files', s.out);
  expect(ran).toMatchObject({ status: 4, stderr: expect.stringContaining('DAMAGE') });
});

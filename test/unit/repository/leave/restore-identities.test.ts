import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test, vi } from 'vitest';
import { initRepository, openRepository } from '../../../../src/repository/index.ts';
import { RESTORE_TOOLS as TOOLS } from '../support/restore-tools.ts';
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
  /** With all that the script may need but one tool. */
  const runWithout = async (tool: string, ...args: string[]) => {
    const bin = join(folder, `without-${tool}`);
    await mkdir(bin);
    for (const name of TOOLS.filter((t) => t !== tool)) {
      await symlink(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(bin, name));
    }
    return spawnSync(shell, [script, ...args], { encoding: 'utf8', env: { PATH: bin, TMPDIR: folder } });
  };
  const out = join(folder, 'out');
  return {
    folder,
    location,
    before,
    after,
    run,
    runWithout,
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

test.each(['jq', 'sha256sum', 'zstd', 'age'])('%s that is not installed is named, and is no damage', async (tool) => {
  const s = await scene();
  for (const command of ['details', 'check']) {
    const ran = await s.runWithout(tool, '-i', s.both, command, s.after.id);
    expect(ran).toMatchObject({ status: 1, stderr: `restore.sh: ${tool} is not installed here\n` });
    await rm(join(s.folder, `without-${tool}`), { recursive: true });
  }
});

test('without age the stored bytes of a sealed repository are checked all the same', async () => {
  const s = await scene();
  expect(await s.runWithout('age', 'check', s.after.id)).toMatchObject({ status: 0, stderr: '' });
});

test.each([
  ['is empty', ''],
  ['holds garbage', 'garbage\n'],
  ['holds only comments', '# public key: age1\n'],
])('an identity file that %s ends with 12, not with damage', async (_, text) => {
  const s = await scene();
  const file = join(s.folder, 'useless');
  await writeFile(file, text);
  const places = { check: [], details: [], files: ['n1', 'files'], 'lay-out': ['n1', 'files', s.out] };
  for (const [command, place] of Object.entries(places)) {
    const ran = s.run('-i', file, command, s.after.id, ...place);
    expect(ran).toMatchObject({ status: 12, stderr: expect.stringContaining('no identity that age can use') });
    expect(ran.stderr).not.toContain('DAMAGE');
  }
});

test('an SSH key is an identity too, and one that does not fit is told as such', async () => {
  const s = await scene();
  const file = join(s.folder, 'ssh');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(file, privateKey.export({ type: 'pkcs1', format: 'pem' }));
  expect(s.run('-i', file, 'details', s.after.id)).toMatchObject(NEEDS_OLDER);
});

test.each(['skep.json', 'skep.copy.json'])('another format or an unknown feature in %s is refused', async (name) => {
  const s = await scene();
  const [path, other] = [name, name === 'skep.json' ? 'skep.copy.json' : 'skep.json'].map((n) => join(s.location, n));
  const text = readFileSync(path!, 'utf8');
  await chmod(path!, 0o640);
  // The copy tells only where the other one does not.
  if (name === 'skep.copy.json') await rm(other!);
  const write = (more: object) => writeFile(path!, JSON.stringify({ ...JSON.parse(text), ...more }));
  for (const more of [{ format: 2 }, { features: ['sealed', 'chunked'] }, { features: 'chunked' }]) {
    await write(more);
    expect(s.run('list')).toMatchObject({ status: 15, stdout: '', stderr: expect.stringContaining('does not know') });
  }
  await writeFile(path!, text);
  expect(s.run('list').status).toBe(0);
});

test.each(['', '{"format":', '[]'])(
  'a descriptor that is torn (%j) or lost keeps nobody from reading',
  async (text) => {
    const s = await scene();
    for (const name of ['skep.json', 'skep.copy.json']) {
      const path = join(s.location, name);
      await chmod(path, 0o640);
      await writeFile(path, text);
      expect(s.run('-i', s.both, 'check', s.after.id).status).toBe(0);
      await rm(path);
      expect(s.run('list').status).toBe(0);
    }
  },
);

// Two users of one group and a repository in a folder that the group shares: each in a process of its own, as sudo starts
// agents. Only root can become others.
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const GROUP = 64110;
const [OPERATOR, CASSANDRA] = [64100, 64101];
/** Other users can run this project's Node and sources. */
const isOpen = [process.execPath, import.meta.dirname].every((place) => {
  for (let folder = dirname(place); folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o005) !== 0o005) return false;
  }
  return true;
});
const canBecome = process.getuid?.() === 0 && isOpen;
const INDEX = new URL('../../../src/repository/index.ts', import.meta.url).href;
const BINS = new URL('../../../src/repository/backend/path/path-bins.ts', import.meta.url).href;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skep-shared-'));
  chmodSync(root, 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs a module as a user of the group, with the umask that a careful login has. */
async function as(uid: number, source: string): Promise<string> {
  const argv = ['--reuid', String(uid), '--regid', String(uid), '--groups', String(GROUP), '--'];
  const shell = 'umask 077; exec "$@"';
  const node = [process.execPath, '--input-type=module', '-e', source];
  const { stdout } = await run('setpriv', [...argv, 'sh', '-c', shell, 'sh', ...node], { cwd: '/', timeout: 25_000 });
  return stdout;
}

function shared(name: string, mode: number): string {
  const folder = join(root, name);
  mkdirSync(folder);
  chownSync(folder, OPERATOR, GROUP);
  chmodSync(folder, mode);
  return folder;
}

const backUp = (location: string, content: string): string => `
  const { openRepository, newBackupId } = await import(${JSON.stringify(INDEX)});
  const repository = await openRepository(${JSON.stringify(location)});
  const run = newBackupId();
  const lease = await repository.acquireLease('write', { run, host: 'h', pid: process.pid });
  const writer = repository.objectWriter({ run, writer: 'w' });
  await writer.putBytes(Buffer.from(${JSON.stringify(content)}));
  await writer.flush();
  await writer.close();
  await lease.release();
`;

test.runIf(canBecome)("users of one group write into each other's folders, whatever their umask", async () => {
  const location = shared('repository', 0o2770);
  await as(
    OPERATOR,
    `const { initRepository } = await import(${JSON.stringify(INDEX)});
    await initRepository({ location: ${JSON.stringify(location)} }, { clusterName: 'c', clusterId: 'c' });`,
  );
  // The same content twice, so that the second finds the first's; contents that share a folder.
  await as(CASSANDRA, backUp(location, 'one'));
  await as(OPERATOR, backUp(location, 'one'));
  await as(OPERATOR, backUp(location, 'two'));
  for (const entry of readdirSync(location, { recursive: true, withFileTypes: true })) {
    const { mode, gid } = statSync(join(entry.parentPath, entry.name));
    expect(gid, entry.name).toBe(GROUP);
    expect(mode & (entry.isDirectory() ? 0o2070 : 0o040), entry.name).toBe(entry.isDirectory() ? 0o2070 : 0o040);
  }
});

test.runIf(canBecome)("in a folder that is one user's alone the umask holds", async () => {
  const location = shared('mine', 0o700);
  await as(
    OPERATOR,
    `const { initRepository } = await import(${JSON.stringify(INDEX)});
    await initRepository({ location: ${JSON.stringify(location)} }, { clusterName: 'c', clusterId: 'c' });`,
  );
  for (const entry of readdirSync(location, { recursive: true, withFileTypes: true })) {
    expect(statSync(join(entry.parentPath, entry.name)).mode & 0o077, entry.name).toBe(0);
  }
});

test.runIf(canBecome)('a folder that cannot be reached is told as such', async () => {
  const location = join(shared('closed', 0o700), 'below');
  const read = `const { openRepository } = await import(${JSON.stringify(INDEX)});
    await openRepository(${JSON.stringify(location)}).catch((e) => process.stdout.write(String(e.code)));`;
  expect(await as(CASSANDRA, read)).toBe('repository-failed');
});

test.runIf(canBecome)('what another user wrote is put back from a bin, although it may not be linked', async () => {
  const location = shared('repository', 0o2770);
  const write = `const fs = await import('node:fs');
    process.umask(0o007);
    fs.mkdirSync(${JSON.stringify(join(location, 'objects/aa'))}, { recursive: true });
    fs.writeFileSync(${JSON.stringify(join(location, 'objects/aa/x'))}, 'theirs', { mode: 0o440 });`;
  await as(CASSANDRA, write);
  const read = `const { PathBins } = await import(${JSON.stringify(BINS)});
    process.umask(0o007);
    const bins = new PathBins(${JSON.stringify(location)});
    await bins.open('b');
    await bins.take('b', ['objects/aa/x']);
    await bins.close('b');
    const fs = await import('node:fs');
    process.stdout.write(fs.readFileSync(${JSON.stringify(join(location, 'objects/aa/x'))}, 'utf8') + fs.readdirSync(${JSON.stringify(join(location, 'trash'))}).length);`;
  expect(await as(OPERATOR, read)).toBe('theirs0');
});

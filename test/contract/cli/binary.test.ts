import { execa } from 'execa';
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { runTool } from '../../../lab/ground/run-tool.ts';
import { openAgent } from '../../../src/remote/agent-client.ts';
import { initRepository, newBackupId } from '../../../src/repository/index.ts';
import { VERSION } from '../../../src/version.ts';
import { localCluster } from '../../unit/support/cluster.ts';
import { buildRepository } from './support/repository.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 240_000 });

const BUILDER = path.join(import.meta.dirname, '../../../tools/dist.ts');

let folder: string;
let binary: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skep-binary-'));
  binary = await build('dist');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The executable for this machine. */
async function build(name: string): Promise<string> {
  const to = path.join(folder, name);
  await runTool([process.execPath, BUILDER, '--to', to, '--arch', process.arch]);
  return path.join(to, `skep-${VERSION}-linux-${process.arch}`);
}

/** The executable, with nothing beside it and no Node on the path. */
function skep(...args: string[]) {
  const env = { HOME: folder, PATH: '/nowhere', NO_COLOR: '1' };
  return execa(binary, args, { extendEnv: false, env, reject: false, stdin: 'ignore' });
}

test('is the same file when it is built again, and has the checksum that lies beside it', async () => {
  const again = await build('again');
  const [one, other] = await Promise.all(
    [binary, again].map((f) => readFile(path.join(path.dirname(f), 'SHA256SUMS'), 'utf8')),
  );
  expect(one).toBe(other);
  await runTool(['sha256sum', '--check', '--strict', 'SHA256SUMS'], { cwd: path.dirname(binary) });
});

test('is the command line, with help, errors and exit codes, without Node and without the lab', async () => {
  expect(await skep('--version')).toMatchObject({ exitCode: 0, stdout: VERSION });
  const help = await skep('--help');
  expect(help.stdout).toContain('restore latest --dry-run');
  expect(help.stdout).not.toMatch(/^ {2}lab /m);
  const { config } = await buildRepository(path.join(folder, 'some'));
  expect(await skep('list', '--config', config, '--json')).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await skep('show', 'latest', '--config', config)).toMatchObject({ exitCode: 2 });
});

test('keeps its compiled code for the next start, once, and does without where that is damaged', async () => {
  const kept = path.join(folder, '.cache', 'skep', 'code');
  await skep('--version');
  const [name = '', ...more] = await readdir(kept);
  expect(more).toEqual([]);
  await execa('truncate', ['-s', '1000', path.join(kept, name)]);
  expect(await skep('--version')).toMatchObject({ exitCode: 0, stdout: VERSION });
  expect((await readFile(path.join(kept, name))).length).toBeGreaterThan(1000);
});

test.runIf(process.getuid?.() === 0)('runs with a home that its user may not look into, as after sudo', async () => {
  const closed = path.join(folder, 'closed');
  await mkdir(closed, { mode: 0o700 });
  const open = path.join(folder, 'open');
  await mkdir(open, { mode: 0o755 });
  await chmod(folder, 0o755);
  await copyFile(binary, path.join(open, 'skep'));
  await chmod(path.join(open, 'skep'), 0o755);
  const argv = ['--reuid', '64100', '--regid', '64100', '--clear-groups', '--', path.join(open, 'skep'), '--version'];
  const ran = await execa('setpriv', argv, { env: { HOME: closed, XDG_CACHE_HOME: undefined }, reject: false });
  expect(ran).toMatchObject({ exitCode: 0, stdout: VERSION, stderr: '' });
});

test('is the agent too', async () => {
  const { cluster, node } = localCluster([binary, 'agent']);
  const agent = await openAgent(node, cluster);
  onTestFinished(() => agent.close());
  expect(await agent.call('node.facts', { paths: ['/'] })).toMatchObject({ skep: VERSION });
});

test('has what its threads run with it', async () => {
  vi.stubEnv('XDG_CACHE_HOME', path.join(folder, 'hints'));
  const identity = await generateX25519Identity();
  const repository = {
    location: path.join(folder, 'sealed'),
    namingKey: randomBytes(32).toString('hex'),
    recipients: [await identityToRecipient(identity)],
  };
  await initRepository(repository, { clusterName: 'prod', clusterId: 'c-1' });
  const tree = path.join(folder, 'tree');
  await mkdir(tree);
  const content = randomBytes(40 << 20);
  await writeFile(path.join(tree, 'large'), content);

  const { cluster, node } = localCluster([binary, 'agent']);
  const agent = await openAgent(node, cluster);
  onTestFinished(() => agent.close());
  const target = { repository, run: newBackupId(), writer: 'n1' };
  const { listing } = await agent.call('capture.tree', { target, folder: tree });
  const reader = { location: repository.location, identities: [identity] };
  const to = path.join(folder, 'laid-out');
  await agent.call('restore.tree', { repository: reader, listing, prefix: '', to });
  expect((await readFile(path.join(to, 'large'))).equals(content)).toBe(true);
});

test('is what the npm package runs, which brings no sources and needs nothing else', async () => {
  const packed = path.join(folder, 'packed');
  await mkdir(path.join(packed, 'bin'), { recursive: true });
  const home = path.join(import.meta.dirname, '../../..');
  for (const file of ['package.json', 'bin/skep']) await copyFile(path.join(home, file), path.join(packed, file));
  await cp(path.dirname(binary), path.join(packed, 'dist'), { recursive: true });
  // `prepack` has built them for every machine where a package is made to be published.
  await runTool(['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', packed], { cwd: packed });
  const installed = path.join(folder, 'installed');
  await mkdir(installed);
  const archive = path.join(packed, `skep-${VERSION}.tgz`);
  await runTool(['npm', 'install', '--silent', '--offline', '--no-audit', '--no-fund', archive], { cwd: installed });
  expect(await readdir(path.join(installed, 'node_modules'))).toEqual(['.bin', '.package-lock.json', 'skep']);
  const { stdout } = await execa('npx', ['--offline', 'skep', '--version'], { cwd: installed });
  expect(stdout).toBe(VERSION);
});

// `make demo-hosts`: the demo on three hosts, each with its own network namespace, address, sshd, users and sudoers. skep is the
// single executable, run by an operator who is not root; what it needs on a host it copies there and runs by sudo as the
// users of the stores. Needs root. The machine itself is not changed: all of it is in namespaces that end with the demo.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from './ground/cache-folder.ts';
import { runTool } from './ground/run-tool.ts';
import { requireTools } from './ground/tools.ts';

const HOME = path.join(import.meta.dirname, '..');

/** In the namespaces of the demo alone: places that every user can read, whatever the folders above this project allow. */
const PREPARE = `set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/project /mnt/cache
mount --bind "$1" /mnt/project
mount --bind "$2" /mnt/cache
install -m 755 "$3" /mnt/skep
shift 3
exec "$@"`;

await requireTools();
const work = await mkdtemp(path.join(tmpdir(), 'skep-hosts-'));
try {
  process.exitCode = await run();
} finally {
  await rm(work, { recursive: true, force: true });
}

async function run(): Promise<number> {
  await runTool([process.execPath, path.join(HOME, 'tools/dist.ts'), '--to', work, '--arch', process.arch]);
  const built = (await readdir(work)).find((name) => name.endsWith(`-${process.arch}`));
  if (built === undefined) throw new Error(`no executable was built for ${process.arch}`);
  const places = [HOME, cacheFolder(), path.join(work, built)];
  const demo = ['/mnt/project/node_modules/.bin/node', '/mnt/project/lab/demo.ts', '--hosts', '/mnt/skep'];
  const own = ['--net', '--mount', '--propagation', 'private', '--'];
  const argv = [...own, 'sh', '-c', PREPARE, 'sh', ...places, ...demo, ...process.argv.slice(2)];
  const child = spawn('unshare', argv, { stdio: 'inherit', env: { ...process.env, SKEP_CACHE: '/mnt/cache' } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

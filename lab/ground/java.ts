import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from './run-tool.ts';

/** Sources of the little Java programs that the lab compiles, by folder. */
export const javaSources = path.join(import.meta.dirname, '..', 'java');

/** Compiles every `.java` file of the given source folders against a class path into a folder. */
export async function compileJava(
  folders: readonly string[],
  classPath: string,
  into: string,
  signal?: AbortSignal,
): Promise<void> {
  const sources: string[] = [];
  for (const folder of folders) {
    const from = path.join(javaSources, folder);
    for (const name of await readdir(from)) if (name.endsWith('.java')) sources.push(path.join(from, name));
  }
  await mkdir(into, { recursive: true });
  const argv = [
    'javac',
    '-nowarn',
    '-proc:none',
    '-encoding',
    'UTF-8',
    '-cp',
    classPath,
    '-d',
    into,
    ...sources.sort(),
  ];
  await runTool(argv, signal === undefined ? {} : { signal });
}

/** Takes one file out of a jar into a folder (keeping its path inside the jar); nothing happens when the jar lacks it. */
export async function extractFromJar(jar: string, inside: string, into: string): Promise<void> {
  await runTool(['jar', 'xf', jar, inside], { cwd: into });
}

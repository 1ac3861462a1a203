import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { makeOnce } from './make-once.ts';
import { runTool } from './run-tool.ts';

/** Every set of jars: one class-loader folder each, declared by `lab/jars/<set>.pom.xml`, locked by `<set>.sha256`. */
export const JAR_SETS = [
  'cassandra-4.1.10',
  'cassandra-5.0.6',
  'elasticsearch-7.17.29',
  'elasticsearch-8.19.0-lib',
  'elasticsearch-8.19.0-transport-netty4',
  'elasticsearch-8.19.0-x-pack-core',
  'elasticsearch-8.19.0-x-pack-security',
  'janusgraph-1.1.0',
] as const;

export type JarSet = (typeof JAR_SETS)[number];

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
const declarations = path.join(import.meta.dirname, '..', 'jars');

/** The folder with the jars of a set, fetched through Maven when the cache does not have it. */
export async function ensureJars(set: JarSet, signal?: AbortSignal): Promise<string> {
  const pom = path.join(declarations, `${set}.pom.xml`);
  const lock = await readFile(path.join(declarations, `${set}.sha256`), 'utf8');
  // the folder is named by what it must hold: a changed lock is another folder
  const folder = path.join(cacheFolder(), 'jars', `${set}-${digest(lock).slice(0, 8)}`);
  return makeOnce(
    folder,
    async (into) => {
      await fetchJars(pom, into, signal);
      const found = await listJars(into);
      if (found !== lock) throw differs(set, lock, found);
    },
    signal,
  );
}

/** Copies the runtime jars of a pom into a folder. */
export async function fetchJars(pom: string, into: string, signal?: AbortSignal): Promise<void> {
  await runTool(
    ['mvn', '-q', '-B', '-f', pom, COPY, '-DincludeScope=runtime', `-DoutputDirectory=${into}`],
    signal === undefined ? {} : { signal },
  );
}

/** The jars of a folder as lock lines, `<sha256>  <name>`, sorted by name. */
export async function listJars(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((n) => n.endsWith('.jar')).sort();
  const lines = names.map(async (n) => `${digest(await readFile(path.join(folder, n)))}  ${n}\n`);
  return (await Promise.all(lines)).join('');
}

function digest(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function differs(set: JarSet, lock: string, found: string): SkepError {
  const wanted = new Set(lock.split('\n'));
  const got = new Set(found.split('\n'));
  return new SkepError('internal', `the jars of ${set} are not those that are locked`, {
    hint: 'If the pom was changed on purpose, run `node tools/lock-jars.ts` and review the difference.',
    context: { absent: [...wanted].filter((l) => !got.has(l)), unknown: [...got].filter((l) => !wanted.has(l)) },
  });
}

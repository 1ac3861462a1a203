import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { ensureJars } from './jars.ts';
import { compileJava, extractFromJar, javaSources } from './java.ts';
import { makeOnce } from './make-once.ts';
import { runTool } from './run-tool.ts';

export type ElasticsearchVersion = '8.19.0' | '7.17.29';

/** Modules of 8.19.0 that have their own class loader; the order decides which of them keeps a jar that two bring. */
const MODULES = ['transport-netty4', 'x-pack-core', 'x-pack-security'] as const;

/** Modules that are not in the Java registry, and the lab's stand-ins for the parts that are asked of them. */
const SHIMS = {
  'rest-root-shim': 'RootShim',
  'analysis-common-shim': 'AnalysisShim',
  'lang-painless-shim': 'PainlessShim',
} as const;

/** Jars that a module's pom drags along, but that the server's own class loader must hold. */
const SERVER_JARS = /^elasticsearch-(ssl-config|grok)-/;

/**
 * The folder of an assembled Elasticsearch: `lib/` (class path of the server), `classes/` (the lab's `skep.lab.EsNode`),
 * and for 8.19.0 `modules/` and `plugins/` as a distribution has them.
 */
export async function ensureElasticsearch(version: ElasticsearchVersion, signal?: AbortSignal): Promise<string> {
  const folder = path.join(cacheFolder(), 'built', `elasticsearch-${version}-${await sourceDigest(version)}`);
  const build = version === '8.19.0' ? assemble8 : assemble7;
  return makeOnce(folder, (into) => build(into, signal), signal);
}

async function assemble7(into: string, signal?: AbortSignal): Promise<void> {
  const lib = path.join(into, 'lib');
  await copyJars(await ensureJars('elasticsearch-7.17.29', signal), lib, () => true);
  await compileJava(['elasticsearch', 'elasticsearch-7'], `${lib}/*`, path.join(into, 'classes'), signal);
}

async function assemble8(into: string, signal?: AbortSignal): Promise<void> {
  const lib = path.join(into, 'lib');
  const taken = new Set(await copyJars(await ensureJars('elasticsearch-8.19.0-lib', signal), lib, () => true));
  for (const module of MODULES) {
    const jars = await ensureJars(`elasticsearch-8.19.0-${module}`, signal);
    const folder = path.join(into, 'modules', module);
    await copyJars(jars, lib, (name) => SERVER_JARS.test(name) && !taken.has(name));
    const own = await copyJars(jars, folder, (name) => !taken.has(name) && !SERVER_JARS.test(name));
    // x-pack-security is loaded beneath x-pack-core: a jar in both would be jar hell
    if (module === 'x-pack-core') for (const name of own) taken.add(name);
    await describeModule(module, folder);
  }
  await mkdir(path.join(into, 'plugins'), { recursive: true });
  const classes = path.join(into, 'classes');
  await compileJava(['elasticsearch', 'elasticsearch-8'], `${lib}/*`, classes, signal);
  for (const [name, className] of Object.entries(SHIMS)) {
    await packShim(classes, path.join(into, 'modules', name), name, className);
  }
  // a class both on the server's class path and in a module would be jar hell: only the boot class stays
  const compiled = path.join(classes, 'skep', 'lab');
  for (const name of await readdir(compiled)) if (name !== 'EsNode.class') await rm(path.join(compiled, name));
}

/** Lifts the plugin descriptor (and the entitlement policy, where there is one) out of a module's main jar. */
async function describeModule(module: string, folder: string): Promise<void> {
  const jar = (await readdir(folder)).find((n) => n.startsWith(`${module}-`) && n.endsWith('.jar'));
  if (jar === undefined) throw new SkepError('internal', `the module ${module} has no jar of its name`);
  const inside = `META-INF/es-plugins/${module}`;
  await extractFromJar(path.join(folder, jar), inside, folder);
  for (const name of await readdir(path.join(folder, inside))) {
    const text = await readFile(path.join(folder, inside, name), 'utf8');
    // the server runs from the class path here: a descriptor must not name a Java module
    await writeFile(path.join(folder, name), text.replace(/^modulename=.*\n?/m, ''));
  }
  await rm(path.join(folder, 'META-INF'), { recursive: true });
}

async function packShim(classes: string, folder: string, name: string, className: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const own = (await readdir(path.join(classes, 'skep', 'lab'))).filter((n) => belongsTo(n, className)).sort();
  await runTool(['jar', 'cf', path.join(folder, `${name}.jar`), ...own.map((n) => `skep/lab/${n}`)], { cwd: classes });
  const descriptor = {
    description: 'a stand-in of the lab',
    version: '8.19.0',
    name,
    'java.version': '17',
    'elasticsearch.version': '8.19.0',
    classname: `skep.lab.${className}`,
  };
  const lines = Object.entries(descriptor).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(path.join(folder, 'plugin-descriptor.properties'), lines.join(''));
}

function belongsTo(classFile: string, className: string): boolean {
  const helpers = className === 'PainlessShim' ? ['FieldChange', 'VersionedUpdate'] : [];
  return [className, ...helpers].some((c) => classFile === `${c}.class` || classFile.startsWith(`${c}$`));
}

async function copyJars(from: string, to: string, wanted: (name: string) => boolean): Promise<string[]> {
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).filter((n) => n.endsWith('.jar') && wanted(n));
  for (const name of names) await copyFile(path.join(from, name), path.join(to, name));
  return names;
}

/** Changes whenever what is built from changes: the Java sources, the locks of the jars, this file. */
async function sourceDigest(version: ElasticsearchVersion): Promise<string> {
  const hash = createHash('sha256').update(await readFile(import.meta.filename));
  for (const folder of [javaSources, path.join(import.meta.dirname, '..', 'jars')]) {
    for (const name of (await readdir(folder, { recursive: true })).sort()) {
      const relevant = name.includes('elasticsearch') && (name.endsWith('.java') || name.endsWith('.sha256'));
      if (relevant) hash.update(name).update(await readFile(path.join(folder, name)));
    }
  }
  return hash.update(version).digest('hex').slice(0, 8);
}

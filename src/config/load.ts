import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { SkepError } from '../errors.ts';
import { type ClusterConfig, configSchema, type NodeConfig } from './schema.ts';

/** Places in which skep.yaml is looked for when none is named, first one wins. */
export function defaultConfigFiles(env: NodeJS.ProcessEnv = process.env): string[] {
  return [
    ...(env.SKEP_CONFIG ? [env.SKEP_CONFIG] : []),
    resolve('skep.yaml'),
    join(homedir(), '.config', 'skep', 'skep.yaml'),
    '/etc/skep/skep.yaml',
  ];
}

/**
 * Reads a configuration and gives the one cluster that is named, or the only one.
 * Errors: `config-missing`, `config-invalid` (with the key), `cluster-unknown`.
 */
export async function loadCluster(opts: { file?: string; cluster?: string } = {}): Promise<ClusterConfig> {
  const files = opts.file ? [opts.file] : defaultConfigFiles();
  for (const file of files) {
    const text = await readIfThere(file);
    if (text !== undefined) return parseCluster(text, { file, ...(opts.cluster ? { cluster: opts.cluster } : {}) });
  }
  throw new SkepError('config-missing', `no configuration found (looked at ${files.join(', ')})`, {
    context: { files },
  });
}

/** The pure part of `loadCluster`. `file` is only named in errors. */
export function parseCluster(text: string, opts: { file: string; cluster?: string }): ClusterConfig {
  const doc = parseDocument(text);
  const bad = doc.errors[0];
  if (bad) throw new SkepError('config-invalid', `${opts.file} is not YAML: ${bad.message.split('\n')[0]}`);
  const parsed = configSchema.safeParse(doc.toJS());
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = issue?.path.join('.') || '(top level)';
    throw new SkepError('config-invalid', `${opts.file}: ${key}: ${issue?.message ?? 'invalid'}`, {
      context: { file: opts.file, key },
    });
  }
  const names = Object.keys(parsed.data.clusters);
  const name = opts.cluster ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    throw new SkepError('cluster-unknown', `${opts.file} has ${names.length} clusters: ${names.join(', ')}`);
  }
  const found = parsed.data.clusters[name];
  if (!found) {
    throw new SkepError('cluster-unknown', `no cluster ${name} in ${opts.file} (it has ${names.join(', ')})`);
  }
  return checkReferences({ ...found, name }, opts.file);
}

/** Node names must be unique, and every place that names a node must name one that is there. */
function checkReferences(c: ClusterConfig, file: string): ClusterConfig {
  const names = c.nodes.map((n) => n.name);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice) throw new SkepError('config-invalid', `${file}: nodes: two nodes are called ${twice}`);
  const need = (key: string, name: string) => {
    if (!names.includes(name)) throw new SkepError('config-invalid', `${file}: ${key}: no node is called ${name}`);
  };
  need('files.node', c.files.node);
  need('elasticsearch.staging.node', c.elasticsearch.staging.node);
  if (!c.nodes.some((n) => n.cassandra)) {
    throw new SkepError('config-invalid', `${file}: nodes: none has an address under \`cassandra\``);
  }
  const mode = c.index.reconcile;
  if (mode !== 'none' && !c.index[mode]) {
    throw new SkepError('config-invalid', `${file}: index.reconcile is ${mode}, but index.${mode} is missing`, {
      hint: `Add index.${mode} to the configuration, or set index.reconcile to none.`,
    });
  }
  return c;
}

/** The nodes of a cluster that run Cassandra, in the order of the configuration. */
export function cassandraNodes(c: ClusterConfig): (NodeConfig & { cassandra: string })[] {
  return c.nodes.filter((n): n is NodeConfig & { cassandra: string } => n.cassandra !== undefined);
}

/** An argv of the configuration for one node: `{node}` replaced by its name. */
export function forNode(argv: readonly string[], node: string): string[] {
  return argv.map((a) => a.replaceAll('{node}', node));
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SkepError('config-invalid', `cannot read ${file}: ${(e as Error).message}`, { cause: e });
  }
}

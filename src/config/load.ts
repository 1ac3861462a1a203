import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { SkepError } from '../errors.ts';
import { type ClusterConfig, configSchema, type NodeConfig } from './schema.ts';

/**
 * Places in which skep.yaml is looked for when none is named, first one wins. `$SKEP_CONFIG` is the only place when it is
 * set: another file may be about another cluster.
 */
export function defaultConfigFiles(env: NodeJS.ProcessEnv = process.env): string[] {
  if (env.SKEP_CONFIG) return [env.SKEP_CONFIG];
  return [resolve('skep.yaml'), join(homedir(), '.config', 'skep', 'skep.yaml'), '/etc/skep/skep.yaml'];
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
  const parsed = configSchema.safeParse(parseYaml(text, opts.file));
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
  const found = Object.hasOwn(parsed.data.clusters, name) ? parsed.data.clusters[name] : undefined;
  if (!found) {
    throw new SkepError('cluster-unknown', `no cluster ${name} in ${opts.file} (it has ${names.join(', ')})`);
  }
  return checkReferences({ ...found, name }, opts.file);
}

/** Says where and of which kind a fault is, never the text there: it may hold what should be secret. */
function parseYaml(text: string, file: string): unknown {
  const not = (why: string) => new SkepError('config-invalid', `${file} is not YAML: ${why}`, { context: { file } });
  const doc = parseDocument(text);
  const bad = doc.errors[0];
  if (bad) throw not(`line ${bad.linePos?.[0].line ?? '?'}: ${bad.code.toLowerCase().replaceAll('_', ' ')}`);
  try {
    return doc.toJS();
  } catch (e) {
    // Aliases that lead nowhere, or to too much.
    throw not((e as Error).message);
  }
}

/** Node names must be unique, every place that names a node must name one that is there, and what belongs together must be together. */
function checkReferences(c: ClusterConfig, file: string): ClusterConfig {
  const refuse = (key: string, why: string, hint?: string) => {
    const context = { file, key };
    throw new SkepError('config-invalid', `${file}: ${key}: ${why}`, { context, ...(hint ? { hint } : {}) });
  };
  const names = c.nodes.map((n) => n.name);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice) refuse('nodes', `two nodes are called ${twice}`);
  const places = { 'files.node': c.files.node, 'elasticsearch.staging.node': c.elasticsearch.staging.node };
  for (const [key, name] of Object.entries(places)) {
    if (!names.includes(name)) refuse(key, `no node is called ${name}`);
  }
  if (!c.nodes.some((n) => n.cassandra)) refuse('nodes', 'none has an address under `cassandra`');
  c.nodes.forEach((n, i) => {
    if ((n.transport === 'command') === (n.via === undefined)) {
      refuse(`nodes.${i}.via`, 'it goes with `transport: command`, and is needed there');
    }
  });
  if (c.agent.become === 'sudo' && !(c.agent.command ?? c.agent.folder)) {
    const hint = 'Name a folder on the nodes that every user can go to, as /var/tmp/skep.';
    refuse('agent.folder', 'it is needed with `become: sudo`: the home of who logs in is closed to others', hint);
  }
  if (c.agent.command && (c.agent.executable ?? c.agent.folder)) {
    refuse('agent.command', 'an agent that is there already is not copied: leave out executable and folder');
  }
  const accounts = { elasticsearch: c.elasticsearch, 'index.janusgraph': c.index.janusgraph };
  for (const [key, account] of Object.entries(accounts)) {
    if (account && (account.user === undefined) !== (account.password === undefined)) {
      refuse(key, 'user and password go together');
    }
  }
  if (c.config && !c.config.unsealed) {
    const hint = 'Seal it (`repository.sealing`), or set `config.unsealed: true`.';
    if (!c.repository.sealing) refuse('config', 'configurations hold secrets, and the repository is not sealed', hint);
    const open = Object.entries(c.copies).find(([, copy]) => !copy.sealing);
    if (open) refuse(`copies.${open[0]}`, 'configurations hold secrets, and this copy is not sealed', hint);
  }
  if (c.elasticsearch.api_key && c.elasticsearch.user) refuse('elasticsearch', 'it has a user and an api_key');
  if (c.cassandra.client && !c.cassandra.ca_file) {
    refuse('cassandra.client', 'a certificate is shown over TLS alone: name `cassandra.ca_file` too');
  }
  const inside = {
    repository: c.repository,
    'elasticsearch.staging': c.elasticsearch.staging,
    ...Object.fromEntries(Object.entries(c.copies).map(([name, copy]) => [`copies.${name}`, copy])),
  };
  for (const [key, place] of Object.entries(inside)) {
    // It would be backed up into itself, and a restore would clear it away.
    if (isBelow(place, c.files)) refuse(key, `it lies inside of files.location (${c.files.location})`);
  }
  const mode = c.index.reconcile;
  if (mode !== 'none' && !c.index[mode]) {
    const hint = `Add index.${mode} to the configuration, or set index.reconcile to none.`;
    refuse('index.reconcile', `it is ${mode}, but index.${mode} is missing`, hint);
  }
  return c;
}

/** A folder or a place on an object storage. */
interface Place {
  location: string;
  s3?: { endpoint?: string | undefined } | undefined;
}

function isBelow(place: Place, of: Place): boolean {
  const [low, high] = [place, of].map(
    ({ location }) => `${location.replaceAll(/(?<!:)\/+/g, '/').replace(/\/$/, '')}/`,
  ) as [string, string];
  return low.startsWith(high) && place.s3?.endpoint === of.s3?.endpoint;
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

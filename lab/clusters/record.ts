import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { SkepError } from '../../src/errors.ts';

const login = z.object({ user: z.string(), passwordFile: z.string() });

const node = z.object({
  name: z.string(),
  root: z.string(),
  address: z.string(),
  rack: z.string(),
  cassandra: z.object({
    home: z.string(),
    conf: z.string(),
    data: z.string(),
    commitlog: z.string(),
    hints: z.string(),
    savedCaches: z.string(),
    logs: z.string(),
    jmxHost: z.string(),
    jmxPort: z.number(),
    /** As an operator calls it, without account and command. */
    nodetool: z.array(z.string()).min(1),
    /** `CONTROL start|stop|status`. */
    control: z.string(),
  }),
  elasticsearch: z.object({
    home: z.string(),
    data: z.string(),
    logs: z.string(),
    url: z.string(),
    control: z.string(),
  }),
  ssh: z.object({ host: z.string(), port: z.number() }).optional(),
  /** What stands in front of a command so that it runs on this node as Cassandra's user; absent on this machine. */
  enter: z.array(z.string()).optional(),
});

/** lab.json: every endpoint of a lab that is up. Passwords only as files. */
export const labRecord = z.object({
  format: z.literal(1),
  id: z.string(),
  name: z.string(),
  root: z.string(),
  shift: z.number(),
  versions: z.object({
    cassandra: z.enum(['4.1.10', '5.0.6']),
    elasticsearch: z.enum(['8.19.0', '7.17.29']),
    janusgraph: z.string(),
  }),
  nodes: z.array(node).min(1),
  cql: login.extend({
    /** What skep shows and trusts; the load and the tests go in plain. */
    tls: z.object({ caFile: z.string(), certificate: z.string(), key: z.string() }).optional(),
    port: z.number(),
    datacenter: z.string(),
    contactPoints: z.array(z.string()),
  }),
  jmx: login.extend({ tls: z.boolean() }),
  elasticsearch: z.object({
    urls: z.array(z.string()),
    /** Absent with 7.17.29: plain HTTP without users. */
    user: z.string().optional(),
    passwordFile: z.string().optional(),
    caFile: z.string().optional(),
    staging: z.string(),
  }),
  gremlinUrl: z.string(),
  thehive: z.object({
    node: z.string(),
    control: z.string(),
    log: z.string(),
    keyspace: z.string(),
    /** JanusGraph's mixed index and the Elasticsearch index that holds it. */
    mixedIndex: z.string(),
    index: z.string(),
    user: z.string(),
    passwordFile: z.string(),
  }),
  files: z.object({ location: z.string(), attachments: z.string() }),
  /** Absent with one node: what runs there runs here. */
  ssh: z.object({ user: z.string(), config: z.string(), key: z.string(), knownHosts: z.string() }).optional(),
  repository: z.string(),
  /** Where `lab load` keeps its ledger. */
  ledger: z.string(),
  config: z.string(),
  /** How the operator runs skep; absent where it is run from its source. */
  skep: z.array(z.string()).optional(),
});

export type LabRecord = z.output<typeof labRecord>;
export type NodeRecord = LabRecord['nodes'][number];

export async function writeRecord(record: LabRecord): Promise<void> {
  const file = path.join(record.root, 'lab.json');
  await writeFile(`${file}.tmp`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${file}.tmp`, file);
}

/** The record of the lab in a folder, or undefined when no lab is up there. */
export async function findRecord(root: string): Promise<LabRecord | undefined> {
  try {
    return labRecord.parse(JSON.parse(await readFile(path.join(root, 'lab.json'), 'utf8')));
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SkepError('usage', `lab.json cannot be read in ${root}`, {
      hint: 'Run `skep lab down`, then `skep lab up`.',
      cause: e,
    });
  }
}

import { z } from 'zod';
import { duration } from './duration.ts';

/** Where a secret comes from; never the secret itself. Each source must give one line. */
export const secretSource = z.union([
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({ env: z.string().min(1) }),
  z.strictObject({ command: z.array(z.string()).min(1) }),
]);
export type SecretSource = z.output<typeof secretSource>;

/** A command as an argv array. `{node}` in an element stands for the name of the node it runs on. */
const argv = z.array(z.string().min(1)).min(1);

/** An address without an account in it: secrets have sources of their own, and addresses are shown. */
const url = (schemes: 'http' | 'ws') =>
  z
    .url({
      protocol: schemes === 'http' ? /^https?$/ : /^wss?$/,
      error: `not an address (${schemes}://… or ${schemes}s://…)`,
    })
    .refine((text) => {
      const u = URL.parse(text);
      return u === null || (u.username === '' && u.password === '');
    }, 'write user and password under their own keys, not into the address');

const service = (unit: string) =>
  z
    .strictObject({
      start: argv.default(['systemctl', 'start', unit]),
      stop: argv.default(['systemctl', 'stop', unit]),
      status: argv.default(['systemctl', 'is-active', '--quiet', unit]),
      /** Log files read by `skep check` for recent errors; `{node}` as above. */
      logs: z.array(z.string().min(1)).default([]),
    })
    .prefault({});

const ssh = z.strictObject({
  user: z.string().optional(),
  port: z.number().int().positive().optional(),
  identity_file: z.string().optional(),
  known_hosts_file: z.string().optional(),
  config_file: z.string().optional(),
  connect_timeout: duration.prefault('10s'),
});

const node = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dots and dashes only'),
  /** `ssh` runs the agent over the system's ssh; `local` on this machine. */
  transport: z.enum(['ssh', 'local']).default('ssh'),
  /** The host as ssh knows it; the node's name when absent. */
  host: z.string().optional(),
  /** The address on which this node's Cassandra answers CQL; absent on a node without Cassandra. */
  cassandra: z.string().optional(),
  elasticsearch: z.boolean().default(false),
  thehive: z.boolean().default(false),
});

const cluster = z.strictObject({
  /** Absolute path of the repository, the same on every node and on this machine (a shared mount). */
  repository: z.string().startsWith('/'),
  nodes: z.array(node).min(1),
  ssh: ssh.prefault({}),
  agent: z
    .strictObject({
      /** How a node runs the agent. This skep's own source under this Node when absent. */
      command: argv.optional(),
    })
    .prefault({}),
  cassandra: z.strictObject({
    keyspace: z
      .string()
      .regex(/^[a-z0-9_]+$/)
      .default('thehive'),
    datacenter: z.string().default('datacenter1'),
    port: z.number().int().positive().default(9042),
    user: z.string(),
    password: secretSource,
    /** CA for CQL over TLS; plain when absent. */
    ca_file: z.string().optional(),
    nodetool: argv.default(['nodetool']),
    jmx: z
      .strictObject({
        user: z.string(),
        /** On the node, in nodetool's own format (`USER PASSWORD` a line). */
        password_file: z.string(),
      })
      .optional(),
    /** Replicas that every datacenter should have; its number of nodes, at most 3, when absent. */
    replication: z.number().int().positive().optional(),
    service: service('cassandra'),
  }),
  elasticsearch: z.strictObject({
    urls: z.array(url('http')).min(1),
    ca_file: z.string().optional(),
    user: z.string().optional(),
    password: secretSource.optional(),
    /** JanusGraph's mixed index: concrete indices that match are taken. */
    index: z.string().default('thehive_*'),
    /** Where TheHive 5.5 and later may keep its audit log; an alias or a pattern. */
    audits: z.string().default('thehive-audits*'),
    /** The field of an audit entry with the time it was made (date, or epoch in ms). */
    audits_time_field: z.string().default('createdAt'),
    staging: z.strictObject({
      /** A folder under `path.repo` of every Elasticsearch node that only skep writes. */
      location: z.string().startsWith('/'),
      /** The node whose agent reads and writes that folder. */
      node: z.string(),
    }),
    service: service('elasticsearch'),
  }),
  files: z.strictObject({
    /** The folder that holds `attachment/`. */
    location: z.string().startsWith('/'),
    /** The node whose agent reads and writes it. */
    node: z.string(),
    /** How often pass 1 looks for new attachments while the cut is taken. */
    poll: duration.refine((ms) => ms > 0, 'longer than nothing').prefault('200ms'),
  }),
  thehive: z.strictObject({ service: service('thehive') }).prefault({}),
  index: z
    .strictObject({
      reconcile: z.enum(['janusgraph', 'thehive', 'none']).default('thehive'),
      janusgraph: z
        .strictObject({
          /** Gremlin Server of the restored cluster. */
          url: url('ws'),
          user: z.string().optional(),
          password: secretSource.optional(),
          ca_file: z.string().optional(),
          /** Name of the mixed index in JanusGraph's schema. */
          mixed_index: z.string().default('global'),
        })
        .optional(),
      thehive: z.strictObject({ url: url('http'), api_key: secretSource, ca_file: z.string().optional() }).optional(),
    })
    .prefault({}),
  cut: z
    .strictObject({
      /** `storage.write-time` of TheHive's JanusGraph: how long a commit may go on writing after its timestamp. */
      linger: duration.prefault('100s'),
      max_clock_skew: duration.prefault('500ms'),
      attempts: z.number().int().min(1).max(10).default(3),
      /** A snapshot that outlives its run is removed by Cassandra itself after this time; it takes no less than 1m. */
      snapshot_ttl: duration.refine((ms) => ms >= 60_000, 'at least 1m').prefault('24h'),
    })
    .prefault({}),
  restore: z
    .strictObject({
      /** `nodetool repair --full` of the keyspace at the end. */
      repair: z.boolean().default(true),
      /** Where the state before a restore is kept, on each node; beside the data when absent. */
      undo_folder: z.string().startsWith('/').optional(),
    })
    .prefault({}),
});

export const configSchema = z.strictObject({
  version: z.literal(1),
  clusters: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), cluster),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = z.output<typeof cluster> & { name: string };
export type NodeConfig = z.output<typeof node>;
export type ServiceConfig = ClusterConfig['thehive']['service'];
export type SshConfig = z.output<typeof ssh>;

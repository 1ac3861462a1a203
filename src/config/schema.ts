import { z } from 'zod';
import { CASSANDRA_LOG } from './cassandra-log.ts';
import { duration } from './duration.ts';
import { size } from './size.ts';

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

const service = (unit: string, logs: string[] = []) =>
  z
    .strictObject({
      start: argv.default(['systemctl', 'start', unit]),
      stop: argv.default(['systemctl', 'stop', unit]),
      status: argv.default(['systemctl', 'is-active', '--quiet', unit]),
      /**
       * Log files read by `skep check` for recent errors; `{node}` as above. Cassandra's tell a backup of `nodetool import` too:
       * those that are named must be readable for who reads its data.
       */
      logs: z.array(z.string().min(1)).default(logs),
    })
    .prefault({});

const user = z.string().regex(/^[a-z_][a-z0-9_-]*$/, 'not the name of a user');

const count = z.number().int().nonnegative();

const ssh = z.strictObject({
  user: z.string().optional(),
  port: z.number().int().positive().optional(),
  identity_file: z.string().optional(),
  known_hosts_file: z.string().optional(),
  config_file: z.string().optional(),
  connect_timeout: duration.prefault('10s'),
});

/** How an object storage is reached; a node that works with it must reach it itself. */
const s3 = z.strictObject({
  /** Of a storage other than Amazon's. */
  endpoint: url('http').optional(),
  region: z.string().min(1).default('us-east-1'),
  /** `https://endpoint/bucket` instead of `https://bucket.endpoint`; true with an endpoint when absent. */
  path_style: z.boolean().optional(),
  /** CA that signed the endpoint's certificate, read on this machine; the system's when absent. */
  ca_file: z.string().optional(),
  /** `AWS_ACCESS_KEY_ID` and its like in this machine's environment when absent, else what the SDK finds on each node. */
  credentials: z
    .strictObject({ access_key: secretSource, secret_key: secretSource, session_token: secretSource.optional() })
    .optional(),
});

/**
 * Absolute path, the same on every node and on this machine (a shared mount), or `s3://BUCKET` with an optional `/PREFIX`.
 */
const place = z.string().regex(/^(\/|s3:\/\/[^/])/, 'neither an absolute path nor s3://BUCKET/PREFIX');

/** Of a sealed repository: nodes can write into it and cannot read it. Decided when the repository is made. */
const sealing = z.strictObject({
  /** Whom new contents are sealed to, as `age-keygen` prints them. */
  recipients: z.array(z.string().regex(/^age1[0-9a-z]{58}$/, 'not an age recipient (age1…)')).min(1),
  /** Names objects without telling their contents: 64 hex digits. `skep init` makes a file that is absent. */
  naming_key: secretSource,
  /** One or more age identities (`AGE-SECRET-KEY-1…`), a line each: read only to restore. `--identity` goes before. */
  identity: secretSource.optional(),
});

const compression = z.enum(['off', 'auto', 'max']);

/** Where backups are kept: a place alone, or with what else it takes to open it. */
const repository = z
  .union([
    place,
    z
      .strictObject({
        location: place,
        s3: s3.optional(),
        sealing: sealing.optional(),
        /** `auto`: zstd where a sample shrinks. `max`: as far as zstd can, for slow lines. */
        compression: compression.default('auto'),
      })
      .refine((r) => r.s3 === undefined || r.location.startsWith('s3://'), 's3 goes with a location of s3://…'),
  ])
  .transform((r) =>
    typeof r === 'string' ? { location: r, s3: undefined, sealing: undefined, compression: 'auto' as const } : r,
  );

const node = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dots and dashes only'),
  /** `ssh` runs the agent over the system's ssh; `local` on this machine; `command` by what `via` says. */
  transport: z.enum(['ssh', 'local', 'command']).default('ssh'),
  /** In front of what `command` runs on the node, with its stdin and stdout: `[docker, exec, -i, cassandra-1]`. */
  via: argv.optional(),
  /** The host as ssh knows it; the node's name when absent. */
  host: z.string().optional(),
  /** The address on which this node's Cassandra answers CQL; absent on a node without Cassandra. */
  cassandra: z.string().optional(),
  elasticsearch: z.boolean().default(false),
  thehive: z.boolean().default(false),
});

const cluster = z.strictObject({
  /** Where this machine keeps what a killed restore must remember; `$SKEP_STATE` goes before, `~/.local/state/skep` is the default. */
  state_folder: z.string().startsWith('/').optional(),
  repository,
  /** Other repositories by name, for `skep copy --to NAME`. */
  copies: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), repository).default({}),
  nodes: z.array(node).min(1),
  ssh: ssh.prefault({}),
  agent: z
    .strictObject({
      /** How a node runs an agent that is there already: nothing is copied to it. */
      command: argv.optional(),
      /**
       * skep's single executable for the nodes, on this machine; `{arch}` stands for `x64` or `arm64`. This executable when
       * absent; a skep that runs from its source then runs it on the node as well.
       */
      executable: z.string().startsWith('/').optional(),
      /** Where it is kept on a node; `~/.cache/skep/agents` of the user when absent. Other users must be able to go there with `become`. */
      folder: z.string().startsWith('/').optional(),
      /**
       * `sudo`: who logs in on a node hands over to the users below, each for files of one store, and starts and stops
       * services as root. `skep init` prints the lines that sudoers needs.
       */
      become: z.enum(['none', 'sudo']).default('none'),
      /** Its niceness during a backup: what runs on the node for TheHive goes before. */
      nice: z.number().int().min(0).max(19).default(10),
      /** Files that it stores at once; three of SSTables and four attachments when absent. */
      parallel: z.number().int().min(1).max(64).optional(),
      /**
       * `direct`: each node reads and writes the repository itself. `relay`: through this machine, over the connection to its
       * agent. `auto`: through this machine where a node does not reach the repository.
       */
      data_path: z.enum(['auto', 'direct', 'relay']).default('auto'),
      /** Bytes a second that each node sends to the repository; as fast as it goes when absent. */
      limit_upload: size.refine((bytes) => bytes > 0, 'more than nothing').optional(),
      users: z
        .strictObject({
          cassandra: user.default('cassandra'),
          files: user.default('thehive'),
          elasticsearch: user.default('elasticsearch'),
          /** Who may read the configurations of all servers; who logs in when absent. */
          config: user.optional(),
        })
        .prefault({}),
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
    /** What Cassandra asks of clients with `require_client_auth`: a certificate and its key, as PEM. */
    client: z.strictObject({ certificate_file: z.string(), key_file: z.string() }).optional(),
    /** With `--ssl` where JMX is over TLS. */
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
    service: service('cassandra', [CASSANDRA_LOG]),
  }),
  elasticsearch: z.strictObject({
    urls: z.array(url('http')).min(1),
    ca_file: z.string().optional(),
    user: z.string().optional(),
    password: secretSource.optional(),
    /** Instead of a user: an API key as Elasticsearch gives it under `encoded`. */
    api_key: secretSource.optional(),
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
  files: z
    .strictObject({
      /** What holds `attachment/`: a folder, or `s3://BUCKET` with an optional `/PREFIX` where TheHive keeps attachments on S3. */
      location: place,
      s3: s3.optional(),
      /** The node whose agent reads and writes it. */
      node: z.string(),
      /** How often pass 1 looks for new attachments while the cut is taken. */
      poll: duration.refine((ms) => ms > 0, 'longer than nothing').prefault('200ms'),
      /**
       * Attachments (`attachment/<sha256>`) that are damaged on the live cluster and lost for good. Any other damaged one makes
       * a backup fail: it could not keep its promise.
       */
      accept_damaged: z.array(z.string().min(1)).default([]),
    })
    .refine((f) => f.s3 === undefined || f.location.startsWith('s3://'), 's3 goes with a location of s3://…'),
  thehive: z.strictObject({ service: service('thehive') }).prefault({}),
  /**
   * Keeps the configurations of the servers of every node too (`/etc/cassandra`, `/etc/elasticsearch`, `/etc/thehive`, what
   * systemd is told of them) and the versions of installed packages. Not kept when absent: they hold secrets.
   */
  config: z
    .strictObject({
      /** Further files and folders; `{node}` as above. Unlike the usual ones they must be there. */
      paths: z.array(z.string().startsWith('/')).default([]),
      /** Also into repositories that are not sealed: who can read those can then read the passwords. */
      unsealed: z.boolean().default(false),
    })
    .optional(),
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
  retention: z
    .strictObject({
      /** What `skep forget` keeps when its command line says nothing; times are those of the cuts, in UTC. */
      keep_last: count.optional(),
      keep_hourly: count.optional(),
      keep_daily: count.optional(),
      keep_weekly: count.optional(),
      keep_monthly: count.optional(),
      /** All that are no older than this, seen from the newest backup. */
      keep_within: duration.optional(),
      /** So many complete backups are left whatever is asked for. */
      minimum: count.default(3),
      /** On an object storage with object lock: for so long a backup is deleted only by who may bypass governance retention. */
      lock: duration.optional(),
      /** Size of a file in a repository on a path, which a prune on a full disk deletes first; `0B` for none. */
      ballast: size.prefault('64MB'),
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
export type AgentConfig = ClusterConfig['agent'];
export type SshConfig = z.output<typeof ssh>;

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type DseClientOptions } from 'cassandra-driver';
import { stringify } from 'yaml';
import { SkepError } from '../../src/errors.ts';
import { ensureJars } from '../ground/jars.ts';
import type { CassandraVersion } from '../layout.ts';
import { cassandraModuleOptions, commonJavaOptions } from '../nodes/java-options.ts';

const START_LIMIT_MS = 180_000;

/** One Cassandra node on its own, without accounts and without JMX: for tests that need real commit log segments. */
export interface SingleNode {
  version: CassandraVersion;
  root: string;
  commitlog: string;
  conf: string;
  /** The folder of its jars. */
  jars: string;
  /** The class path of the node: its configuration folder and its jars. */
  classPath: string;
  connect(): Promise<Client>;
  start(): Promise<void>;
  /** Ends it without any warning, as a loss of power would: nothing is flushed. */
  kill(): Promise<void>;
}

/** Writes the node's files; `extra` overrides keys of cassandra.yaml. */
export async function makeSingleNode(
  version: CassandraVersion,
  root: string,
  address: string,
  extra: Record<string, unknown> = {},
): Promise<SingleNode> {
  const jars = await ensureJars(`cassandra-${version}`);
  const commitlog = path.join(root, 'commitlog');
  const conf = path.join(root, 'conf');
  const temporary = path.join(root, 'tmp');
  for (const folder of [commitlog, conf, temporary]) await mkdir(folder, { recursive: true });
  await writeFile(path.join(conf, 'cassandra.yaml'), stringify({ ...yamlOf(root, address), ...extra }));
  await writeFile(path.join(conf, 'logback.xml'), logback(path.join(root, 'system.log')));
  await writeFile(path.join(conf, 'cassandra-rackdc.properties'), 'dc=datacenter1\nrack=rack1\n');
  const jamm = (await readdir(jars)).find((n) => /^jamm-.*\.jar$/.test(n));
  if (jamm === undefined) throw new SkepError('internal', `no jamm among the jars of ${version}`);
  const classPath = `${conf}:${jars}/*`;
  const argv = [
    ...commonJavaOptions(512, temporary),
    '-Xss512k',
    ...cassandraModuleOptions(),
    `-javaagent:${path.join(jars, jamm)}`,
    '-Djdk.attach.allowAttachSelf=true',
    `-Dcassandra.config=file://${path.join(conf, 'cassandra.yaml')}`,
    '-Dcassandra-foreground=true',
    `-Dcassandra.storagedir=${root}`,
    `-Dlogback.configurationFile=${path.join(conf, 'logback.xml')}`,
    '-Dcassandra.ring_delay_ms=100',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-cp',
    classPath,
    'org.apache.cassandra.service.CassandraDaemon',
  ];
  let process: ChildProcess | undefined;
  const connect = (): Promise<Client> => connectTo(address);
  return {
    version,
    root,
    commitlog,
    conf,
    jars,
    classPath,
    connect,
    async start() {
      const log = openSync(path.join(root, 'stdout.log'), 'a');
      process = spawn('java', argv, { cwd: root, stdio: ['ignore', log, log] });
      closeSync(log);
      await waitUntilUp(process, connect, root);
    },
    async kill() {
      const running = process;
      process = undefined;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGKILL');
      await ended;
    },
  };
}

async function waitUntilUp(process: ChildProcess, connect: () => Promise<Client>, root: string): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  let last: unknown;
  while (Date.now() < limit) {
    if (process.exitCode !== null || process.signalCode !== null) break;
    try {
      await (await connect()).shutdown();
      return;
    } catch (e) {
      last = e;
      await sleep(250);
    }
  }
  const said = (await readFile(path.join(root, 'stdout.log'), 'utf8').catch(() => '')).slice(-2000);
  throw new SkepError('internal', `the node in ${root} did not come up: ${said}`, { cause: last });
}

async function connectTo(address: string): Promise<Client> {
  const options: DseClientOptions = {
    contactPoints: [address],
    localDataCenter: 'datacenter1',
    socketOptions: { readTimeout: 60_000 },
    encoding: { useUndefinedAsUnset: true },
  };
  const client = new Client(options);
  try {
    await client.connect();
    return client;
  } catch (e) {
    await client.shutdown();
    throw e;
  }
}

function yamlOf(root: string, address: string): Record<string, unknown> {
  return {
    cluster_name: 'skep-single',
    num_tokens: 1,
    initial_token: '0',
    auto_bootstrap: false,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    data_file_directories: [path.join(root, 'data')],
    commitlog_directory: path.join(root, 'commitlog'),
    saved_caches_directory: path.join(root, 'saved_caches'),
    hints_directory: path.join(root, 'hints'),
    cdc_raw_directory: path.join(root, 'cdc_raw'),
    commitlog_sync: 'periodic',
    commitlog_sync_period: '1000ms',
    commitlog_segment_size: '1MiB',
    seed_provider: [
      { class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: [{ seeds: address }] },
    ],
    listen_address: address,
    rpc_address: address,
    endpoint_snitch: 'GossipingPropertyFileSnitch',
    auto_snapshot: false,
    materialized_views_enabled: true,
    memtable_heap_space: '128MiB',
    memtable_offheap_space: '128MiB',
    key_cache_size: '2MiB',
    file_cache_size: '32MiB',
    networking_cache_size: '16MiB',
  };
}

function logback(file: string): string {
  return `<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>${file}</file>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE" /></root>
</configuration>
`;
}

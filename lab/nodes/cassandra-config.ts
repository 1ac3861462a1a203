import path from 'node:path';
import { stringify } from 'yaml';
import type { LabLayout, NodeLayout } from '../layout.ts';
import type { ServiceSpec } from '../services/spec.ts';
import { cassandraModuleOptions, commonJavaOptions } from './java-options.ts';

export const TOKENS_PER_NODE = 16;
export const COMMITLOG_SYNC_MS = 2_000;
const HEAP_MIB = 512;

/** Folders of a node's Cassandra. */
export interface CassandraFolders {
  home: string;
  conf: string;
  data: string;
  commitlog: string;
  hints: string;
  savedCaches: string;
  cdc: string;
  logs: string;
  temporary: string;
  /** With JMX over TLS `--ssl` comes first, and `HOME` is `home`. */
  nodetool: string;
}

export function cassandraFolders(node: NodeLayout): CassandraFolders {
  const home = path.join(node.root, 'cassandra');
  return {
    home,
    conf: path.join(home, 'conf'),
    data: path.join(home, 'data'),
    commitlog: path.join(home, 'commitlog'),
    hints: path.join(home, 'hints'),
    savedCaches: path.join(home, 'saved_caches'),
    cdc: path.join(home, 'cdc_raw'),
    logs: path.join(home, 'logs'),
    temporary: path.join(home, 'tmp'),
    nodetool: path.join(home, 'bin', 'nodetool'),
  };
}

/**
 * Tokens given in advance, spread evenly over the ring and interleaved over the nodes: they can then join at the same
 * time, which Cassandra refuses to nodes that choose tokens themselves.
 */
export function tokensOf(index: number, nodes: number): bigint[] {
  const all = BigInt(TOKENS_PER_NODE * nodes);
  return Array.from({ length: TOKENS_PER_NODE }, (_, k) => {
    const position = BigInt(k * nodes + index - 1);
    return -(2n ** 63n) + (2n ** 64n * (2n * position + 1n)) / (2n * all);
  });
}

/** cassandra.yaml of a node; `extra` overrides any key. */
export function cassandraYaml(layout: LabLayout, node: NodeLayout, extra: Record<string, unknown> = {}): string {
  const at = cassandraFolders(node);
  return stringify({
    cluster_name: `skep-lab-${layout.name}`,
    num_tokens: TOKENS_PER_NODE,
    initial_token: tokensOf(node.index, layout.nodes.length).join(','),
    auto_bootstrap: false,
    authenticator: 'PasswordAuthenticator',
    authorizer: 'CassandraAuthorizer',
    role_manager: 'CassandraRoleManager',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    data_file_directories: [at.data],
    commitlog_directory: at.commitlog,
    saved_caches_directory: at.savedCaches,
    hints_directory: at.hints,
    cdc_raw_directory: at.cdc,
    commitlog_sync: 'periodic',
    commitlog_sync_period: `${COMMITLOG_SYNC_MS}ms`,
    commitlog_segment_size: '8MiB',
    disk_optimization_strategy: 'ssd',
    // every node is a seed: seeds may start together, none waits for the first
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: layout.nodes.map((n) => n.address).join(',') }],
      },
    ],
    listen_address: node.address,
    rpc_address: node.address,
    storage_port: layout.ports.storage,
    native_transport_port: layout.ports.cql,
    endpoint_snitch: 'GossipingPropertyFileSnitch',
    incremental_backups: false,
    auto_snapshot: false,
    concurrent_reads: 4,
    concurrent_writes: 4,
    memtable_heap_space: '64MiB',
    memtable_offheap_space: '64MiB',
    key_cache_size: '4MiB',
    file_cache_size: '32MiB',
    networking_cache_size: '16MiB',
    ...extra,
  });
}

export function rackProperties(node: NodeLayout): string {
  return `dc=datacenter1\nrack=${node.rack}\n`;
}

/** Logback: one file, as an operator finds it under logs/system.log. */
export function cassandraLogback(logs: string): string {
  return `<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>${path.join(logs, 'system.log')}</file>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE" /></root>
</configuration>
`;
}

/** How a node's Cassandra is run. `jamm` is the file name of the agent that measures memory, among the jars. */
export function cassandraSpec(
  layout: LabLayout,
  node: NodeLayout,
  from: { java: string; jars: string; jamm: string; jmxPasswords: string; jmxAccess: string; jmxTls: string[] },
  env: Record<string, string>,
): ServiceSpec {
  const at = cassandraFolders(node);
  return {
    name: `${node.name}-cassandra`,
    argv: [
      from.java,
      ...commonJavaOptions(HEAP_MIB, at.temporary),
      '-Xss512k',
      ...cassandraModuleOptions(),
      `-javaagent:${path.join(from.jars, from.jamm)}`,
      '-Djdk.attach.allowAttachSelf=true',
      `-Dcassandra.config=file://${path.join(at.conf, 'cassandra.yaml')}`,
      '-Dcassandra-foreground=true',
      `-Dcassandra.storagedir=${at.home}`,
      `-Dcassandra.logdir=${at.logs}`,
      `-Dlogback.configurationFile=${path.join(at.conf, 'logback.xml')}`,
      `-Dcassandra.jmx.local.port=${node.jmxPort}`,
      '-Dcom.sun.management.jmxremote.authenticate=true',
      `-Dcom.sun.management.jmxremote.password.file=${from.jmxPasswords}`,
      `-Dcom.sun.management.jmxremote.access.file=${from.jmxAccess}`,
      ...from.jmxTls,
      // a lab's nodes find each other at once: none of the waits that a real ring needs
      '-Dcassandra.ring_delay_ms=1000',
      '-Dcassandra.skip_wait_for_gossip_to_settle=0',
      '-Dcassandra.superuser_setup_delay_ms=0',
      '-Dcassandra.shutdown_announce_in_ms=100',
      `-Dcassandra.system_auth.default_rf=${layout.nodes.length}`,
      `-Dcassandra.system_distributed.default_rf=${layout.nodes.length}`,
      `-Dcassandra.system_traces.default_rf=${layout.nodes.length}`,
      '-cp',
      `${at.conf}:${from.jars}/*`,
      'org.apache.cassandra.service.CassandraDaemon',
    ],
    env,
    cwd: at.home,
    log: path.join(at.logs, 'stdout.log'),
    ready: { kind: 'cql', host: node.address, port: layout.ports.cql },
    startLimitMs: 240_000,
    stopLimitMs: 60_000,
  };
}

/**
 * The wrapper that an operator calls as `nodetool [--ssl] -u USER -pwf FILE COMMAND`; it knows host and port only. `--ssl` is read as by
 * Cassandra's own.
 */
export function nodetoolScript(node: NodeLayout, java: string, jars: string): string {
  const at = cassandraFolders(node);
  const options = [
    '-Xmx128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    ...cassandraModuleOptions(),
    `-Dcassandra.storagedir=${at.temporary}`,
    `-Djava.io.tmpdir=${at.temporary}`,
    `-Djna.tmpdir=${at.temporary}`,
    `-Duser.home=${at.temporary}`,
    `-Dlogback.configurationFile=${path.join(at.conf, 'logback-tools.xml')}`,
    '-cp',
    `${jars}/*`,
    'org.apache.cassandra.tools.NodeTool',
    '-h',
    '127.0.0.1',
    '-p',
    String(node.jmxPort),
  ];
  return `#!/bin/sh
ssl=
if [ "$1" = --ssl ]; then shift; ssl="-Dssl.enable=true $(cat "$HOME/.cassandra/nodetool-ssl.properties" 2>/dev/null)"; fi
exec '${java}' $ssl ${options.map((o) => `'${o}'`).join(' ')} "$@"
`;
}

/** Logback of the tools: only what an operator must see, on stderr. */
export const TOOLS_LOGBACK = `<configuration>
  <appender name="STDERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%-5level %date{"HH:mm:ss,SSS"} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="STDERR" /></root>
</configuration>
`;

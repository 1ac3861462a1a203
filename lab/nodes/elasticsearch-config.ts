import { pbkdf2Sync, randomBytes } from 'node:crypto';
import path from 'node:path';
import { stringify } from 'yaml';
import type { ElasticsearchVersion } from '../ground/elasticsearch-home.ts';
import type { LabLayout, NodeLayout } from '../layout.ts';
import type { ServiceSpec } from '../services/spec.ts';
import { commonJavaOptions } from './java-options.ts';

const HEAP_MIB = 512;

/** Plugins that 7.17.29 takes as classes from its class path. */
const PLUGINS_7 = [
  'org.elasticsearch.transport.Netty4Plugin',
  'org.elasticsearch.reindex.ReindexPlugin',
  'org.elasticsearch.index.mapper.MapperExtrasPlugin',
  'org.elasticsearch.join.ParentJoinPlugin',
  'org.elasticsearch.percolator.PercolatorPlugin',
  'org.elasticsearch.script.mustache.MustachePlugin',
  'org.elasticsearch.index.rankeval.RankEvalPlugin',
  'org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin',
  'skep.lab.PainlessShim',
];

export interface ElasticsearchFolders {
  home: string;
  conf: string;
  data: string;
  logs: string;
  temporary: string;
}

export function elasticsearchFolders(node: NodeLayout): ElasticsearchFolders {
  const home = path.join(node.root, 'elasticsearch');
  return {
    home,
    conf: path.join(home, 'config'),
    data: path.join(home, 'data'),
    logs: path.join(home, 'logs'),
    temporary: path.join(home, 'tmp'),
  };
}

/** 7.17.29 comes without its security module, which is not in the Java registry: plain HTTP, no users. */
export function isSecured(version: ElasticsearchVersion): boolean {
  return version === '8.19.0';
}

export function elasticsearchUrl(layout: LabLayout, node: NodeLayout, version: ElasticsearchVersion): string {
  return `${isSecured(version) ? 'https' : 'http'}://${node.address}:${layout.ports.http}`;
}

/** elasticsearch.yml of a node. */
export function elasticsearchYaml(layout: LabLayout, node: NodeLayout, version: ElasticsearchVersion): string {
  const at = elasticsearchFolders(node);
  const tls = (layer: string): Record<string, unknown> => ({
    [`xpack.security.${layer}.ssl.enabled`]: true,
    [`xpack.security.${layer}.ssl.key`]: 'certs/node.key',
    [`xpack.security.${layer}.ssl.certificate`]: 'certs/node.crt',
    [`xpack.security.${layer}.ssl.certificate_authorities`]: ['certs/ca.crt'],
  });
  return stringify({
    'cluster.name': `skep-lab-${layout.name}`,
    'node.name': node.name,
    'network.host': node.address,
    'http.port': layout.ports.http,
    'transport.port': layout.ports.transport,
    'path.data': at.data,
    'path.logs': at.logs,
    'path.repo': [layout.staging],
    'discovery.seed_hosts': layout.nodes.map((n) => `${n.address}:${layout.ports.transport}`),
    'cluster.initial_master_nodes': layout.nodes.map((n) => n.name),
    'cluster.routing.allocation.disk.threshold_enabled': false,
    ...(isSecured(version)
      ? {
          'xpack.security.enabled': true,
          'xpack.security.autoconfiguration.enabled': false,
          'xpack.security.transport.ssl.verification_mode': 'full',
          ...tls('transport'),
          ...tls('http'),
        }
      : {}),
  });
}

/** A line of the file realm's `users`: Elasticsearch's own PBKDF2 form (10,000 rounds of HMAC-SHA-512, 32-byte salt and key). */
export function fileRealmUser(user: string, password: string, salt: Buffer = randomBytes(32)): string {
  const rounds = 10_000;
  const key = pbkdf2Sync(password, salt, rounds, 32, 'sha512');
  return `${user}:{PBKDF2}${rounds}$${salt.toString('base64')}$${key.toString('base64')}\n`;
}

export const ELASTICSEARCH_LOG4J = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`;

/** How a node's Elasticsearch is run; `assembled` is the folder of `ensureElasticsearch`. */
export function elasticsearchSpec(
  layout: LabLayout,
  node: NodeLayout,
  version: ElasticsearchVersion,
  from: { java: string; assembled: string; caFile: string },
  env: Record<string, string>,
): ServiceSpec {
  const at = elasticsearchFolders(node);
  const secured = isSecured(version);
  return {
    name: `${node.name}-elasticsearch`,
    argv: [
      from.java,
      ...commonJavaOptions(HEAP_MIB, at.temporary),
      `-Des.path.home=${at.home}`,
      `-Des.path.conf=${at.conf}`,
      '-Dlog4j2.disable.jmx=true',
      '-Dlog4j2.formatMsgNoLookups=true',
      '-Dio.netty.noUnsafe=true',
      '-Dio.netty.noKeySetOptimization=true',
      '-Dio.netty.recycler.maxCapacityPerThread=0',
      '-Dio.netty.allocator.numDirectArenas=0',
      ...(secured ? ['--add-modules=jdk.net'] : []),
      '-cp',
      `${from.assembled}/classes:${from.assembled}/lib/*`,
      'skep.lab.EsNode',
      ...(secured ? [] : PLUGINS_7),
    ],
    env,
    cwd: at.home,
    log: path.join(at.logs, 'elasticsearch.log'),
    ready: {
      kind: 'http',
      url: `${elasticsearchUrl(layout, node, version)}/`,
      ...(secured ? { caFile: from.caFile } : {}),
    },
    startLimitMs: 240_000,
    stopLimitMs: 60_000,
  };
}

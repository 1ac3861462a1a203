import path from 'node:path';
import { stringify } from 'yaml';
import type { LabLayout, NodeLayout } from '../layout.ts';
import type { ServiceSpec } from '../services/spec.ts';
import { commonJavaOptions } from './java-options.ts';

const HEAP_MIB = 512;

/** How JanusGraph reaches Elasticsearch over TLS; absent for plain HTTP. */
export interface SearchCredentials {
  user: string;
  password: string;
  trustStore: string;
  trustStorePassword: string;
}

/** The settings that TheHive gives its JanusGraph, as a properties file. */
export function graphProperties(
  layout: LabLayout,
  cql: { user: string; password: string },
  search: SearchCredentials | undefined,
): string {
  const addresses = layout.nodes.map((n) => n.address).join(',');
  const elastic = 'index.search.elasticsearch';
  const settings: Record<string, string | number | boolean> = {
    'gremlin.graph': 'org.janusgraph.core.JanusGraphFactory',
    'storage.backend': 'cql',
    'storage.hostname': addresses,
    'storage.port': layout.ports.cql,
    'storage.username': cql.user,
    'storage.password': cql.password,
    'storage.write-time': '10000 ms',
    // a busy machine needs more tries for a lock than the usual three
    'storage.lock.retry': '10',
    'storage.cql.keyspace': 'thehive',
    'storage.cql.local-datacenter': 'datacenter1',
    'storage.cql.read-consistency-level': 'QUORUM',
    'storage.cql.write-consistency-level': 'QUORUM',
    'index.search.backend': 'elasticsearch',
    'index.search.hostname': addresses,
    'index.search.port': layout.ports.http,
    'index.search.index-name': 'thehive',
    ...(layout.nodes.length === 1 ? {} : copiesOn(layout.nodes.length)),
    ...(search === undefined
      ? {}
      : {
          [`${elastic}.http.auth.type`]: 'basic',
          [`${elastic}.http.auth.basic.username`]: search.user,
          [`${elastic}.http.auth.basic.password`]: search.password,
          [`${elastic}.ssl.enabled`]: true,
          [`${elastic}.ssl.truststore.location`]: search.trustStore,
          [`${elastic}.ssl.truststore.password`]: search.trustStorePassword,
        }),
    'cache.db-cache': false,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** As an administrator of several nodes sets it; JanusGraph's own defaults are for one. */
function copiesOn(nodes: number): Record<string, string | number> {
  return {
    'storage.cql.replication-strategy-class': 'NetworkTopologyStrategy',
    'storage.cql.replication-strategy-options': `datacenter1,${nodes}`,
    'index.search.elasticsearch.create.ext.number_of_shards': 1,
    'index.search.elasticsearch.create.ext.number_of_replicas': 1,
  };
}

/** gremlin-server.yaml for one graph called `graph` and its traversal source `g`. */
export function gremlinServerYaml(layout: LabLayout, node: NodeLayout, folder: string): string {
  const registries = { ioRegistries: ['org.janusgraph.graphdb.tinkerpop.JanusGraphIoRegistry'] };
  const binary = 'org.apache.tinkerpop.gremlin.util.ser.GraphBinaryMessageSerializerV1';
  const graphSon = 'org.apache.tinkerpop.gremlin.util.ser.GraphSONMessageSerializerV3';
  const plugins = {
    'org.janusgraph.graphdb.tinkerpop.plugin.JanusGraphGremlinPlugin': {},
    'org.apache.tinkerpop.gremlin.server.jsr223.GremlinServerGremlinPlugin': {},
    'org.apache.tinkerpop.gremlin.tinkergraph.jsr223.TinkerGraphGremlinPlugin': {},
    'org.apache.tinkerpop.gremlin.jsr223.ImportGremlinPlugin': {
      classImports: ['java.lang.Math'],
      methodImports: ['java.lang.Math#*'],
    },
    'org.apache.tinkerpop.gremlin.jsr223.ScriptFileGremlinPlugin': { files: [path.join(folder, 'traversal.groovy')] },
  };
  return stringify({
    host: node.address,
    port: layout.ports.gremlin,
    evaluationTimeout: 600_000,
    channelizer: 'org.apache.tinkerpop.gremlin.server.channel.WebSocketChannelizer',
    graphManager: 'org.janusgraph.graphdb.management.JanusGraphManager',
    graphs: { graph: path.join(folder, 'thehive.properties') },
    scriptEngines: { 'gremlin-groovy': { plugins } },
    serializers: [
      { className: binary, config: registries },
      { className: binary, config: { serializeResultToString: true } },
      { className: graphSon, config: registries },
    ],
    processors: [
      {
        className: 'org.apache.tinkerpop.gremlin.server.op.session.SessionOpProcessor',
        config: { sessionTimeout: 28_800_000 },
      },
      {
        className: 'org.apache.tinkerpop.gremlin.server.op.traversal.TraversalOpProcessor',
        config: { cacheExpirationTime: 600_000, cacheMaxSize: 1000 },
      },
    ],
    metrics: { slf4jReporter: { enabled: false }, jmxReporter: { enabled: false } },
    maxContentLength: 4 * 1024 * 1024,
    resultIterationBatchSize: 64,
    threadPoolWorker: 1,
    gremlinPool: 8,
  });
}

export const TRAVERSAL_SOURCE = 'def globals = [:]\nglobals << [g: traversal().withEmbedded(graph)]\n';

export function janusGraphLogback(): string {
  return `<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5level %logger{30} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT" /></root>
</configuration>
`;
}

/** How the JanusGraph server, which stands for TheHive, is run on its node. */
export function janusGraphSpec(
  layout: LabLayout,
  node: NodeLayout,
  from: { java: string; jars: string },
  env: Record<string, string>,
): ServiceSpec {
  const home = path.join(node.root, 'thehive');
  return {
    name: `${node.name}-thehive`,
    argv: [
      from.java,
      ...commonJavaOptions(HEAP_MIB, path.join(home, 'tmp')),
      '-cp',
      `${path.join(home, 'conf')}:${from.jars}/*`,
      'org.janusgraph.graphdb.server.JanusGraphServer',
      path.join(home, 'conf', 'gremlin-server.yaml'),
    ],
    env,
    cwd: home,
    log: path.join(home, 'logs', 'application.log'),
    // when the graph cannot be opened the JVM stays alive without a port: the port alone tells
    ready: { kind: 'tcp', host: node.address, port: layout.ports.gremlin },
    startLimitMs: 180_000,
    stopLimitMs: 30_000,
  };
}

/** The tables of JanusGraph, as it makes them itself; three nodes race when it does, so the lab makes them first. */
export const JANUSGRAPH_TABLES = [
  'edgestore',
  'edgestore_lock_',
  'graphindex',
  'graphindex_lock_',
  'janusgraph_ids',
  'system_properties',
  'system_properties_lock_',
  'systemlog',
  'txlog',
] as const;

import { userInfo } from 'node:os';
import path from 'node:path';
import type { ElasticsearchVersion } from '../ground/elasticsearch-home.ts';
import { become, type Hosts } from '../hosts/hosts.ts';
import { type CassandraVersion, isJmxOverTls, JANUSGRAPH_VERSION, type LabLayout, type NodeLayout } from '../layout.ts';
import { cassandraFolders } from '../nodes/cassandra-config.ts';
import type { Certificates } from './certificates.ts';
import { elasticsearchFolders, elasticsearchUrl, isSecured } from '../nodes/elasticsearch-config.ts';
import type { LabRecord, NodeRecord } from './record.ts';
import type { Secrets } from './secrets.ts';

/** The service that stands for TheHive runs on this node. */
export const THEHIVE_NODE = 'n1';

/** A single machine is where skep runs itself. */
export function hasSsh(layout: LabLayout): boolean {
  return layout.nodes.length > 1;
}

export function controlScript(node: NodeLayout, service: 'cassandra' | 'elasticsearch' | 'thehive'): string {
  return path.join(node.root, 'bin', service);
}

/** The record of a lab from its layout; pure. */
export function describeLab(
  layout: LabLayout,
  id: string,
  versions: { cassandra: CassandraVersion; elasticsearch: ElasticsearchVersion },
  secrets: Secrets,
  { caFile, certificate, key }: Certificates,
  hosts?: { hosts: Hosts; executable: string },
): LabRecord {
  const secured = isSecured(versions.elasticsearch);
  const nodes = layout.nodes.map((node) => ({
    ...describeNode(layout, node, versions.elasticsearch),
    ...(hosts === undefined ? {} : { enter: hosts.hosts.enterAs(node.name, 'cassandra') }),
  }));
  const first = layout.nodes[0] as NodeLayout;
  return {
    format: 1,
    id,
    name: layout.name,
    root: layout.root,
    shift: layout.shift,
    versions: { ...versions, janusgraph: JANUSGRAPH_VERSION },
    nodes,
    cql: {
      user: secrets.cql.user,
      passwordFile: secrets.cql.passwordFile,
      ...(hosts === undefined ? {} : { tls: { caFile, certificate, key } }),
      port: layout.ports.cql,
      datacenter: 'datacenter1',
      contactPoints: layout.nodes.map((n) => n.address),
    },
    jmx: { user: secrets.jmx.user, passwordFile: secrets.jmx.passwordFile, tls: isJmxOverTls(layout) },
    elasticsearch: {
      urls: nodes.map((n) => n.elasticsearch.url),
      staging: layout.staging,
      ...(secured
        ? { user: secrets.elasticsearch.user, passwordFile: secrets.elasticsearch.passwordFile, caFile }
        : {}),
    },
    gremlinUrl: `ws://${first.address}:${layout.ports.gremlin}/gremlin`,
    thehive: {
      node: THEHIVE_NODE,
      control: controlScript(first, 'thehive'),
      log: path.join(first.root, 'thehive', 'logs', 'application.log'),
      keyspace: 'thehive',
      mixedIndex: 'global',
      index: 'thehive_global',
      user: secrets.graphCql.user,
      passwordFile: secrets.graphCql.passwordFile,
    },
    files: { location: layout.files, attachments: path.join(layout.files, 'attachment') },
    ...(hasSsh(layout)
      ? {
          ssh: {
            user: hosts === undefined ? userInfo().username : 'operator',
            config: path.join(layout.ssh, 'ssh_config'),
            key: path.join(layout.ssh, 'client_key'),
            knownHosts: path.join(layout.ssh, 'known_hosts'),
          },
        }
      : {}),
    repository: path.join(layout.root, 'repository'),
    ledger: path.join(layout.root, 'ledger'),
    config: layout.config,
    ...(hosts === undefined ? {} : { skep: [...become('operator'), 'env', 'HOME=/home/operator', hosts.executable] }),
  };
}

function describeNode(layout: LabLayout, node: NodeLayout, version: ElasticsearchVersion): NodeRecord {
  const cassandra = cassandraFolders(node);
  const elasticsearch = elasticsearchFolders(node);
  return {
    name: node.name,
    root: node.root,
    address: node.address,
    rack: node.rack,
    cassandra: {
      home: cassandra.home,
      conf: cassandra.conf,
      data: cassandra.data,
      commitlog: cassandra.commitlog,
      hints: cassandra.hints,
      savedCaches: cassandra.savedCaches,
      logs: cassandra.logs,
      jmxHost: '127.0.0.1',
      jmxPort: node.jmxPort,
      nodetool: isJmxOverTls(layout)
        ? ['env', `HOME=${cassandra.home}`, cassandra.nodetool, '--ssl']
        : [cassandra.nodetool],
      control: controlScript(node, 'cassandra'),
    },
    elasticsearch: {
      home: elasticsearch.home,
      data: elasticsearch.data,
      logs: elasticsearch.logs,
      url: elasticsearchUrl(layout, node, version),
      control: controlScript(node, 'elasticsearch'),
    },
    ...(hasSsh(layout) ? { ssh: { host: node.name, port: layout.ports.ssh } } : {}),
  };
}

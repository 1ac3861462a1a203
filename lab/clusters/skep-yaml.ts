import path from 'node:path';
import { stringify } from 'yaml';
import type { LabRecord } from './record.ts';

/** How nodes are reached that are hosts of their own. The repository of a lab is not sealed. */
function onHosts(executable: string, lab: LabRecord, conf: string): Record<string, unknown> {
  const folder = `/home/${lab.ssh?.user}/agents`;
  return {
    agent: { executable, folder, become: 'sudo', users: { config: 'cassandra' } },
    config: { unsealed: true, paths: [conf] },
  };
}

/** A ready skep.yaml for a lab: its only cluster has the lab's name. */
export function skepYaml(lab: LabRecord): string {
  const onNode = (...below: string[]): string => path.join(lab.root, '{node}', ...below);
  const service = (name: string, log: string[]): Record<string, unknown> => ({
    start: [onNode('bin', name), 'start'],
    stop: [onNode('bin', name), 'stop'],
    status: [onNode('bin', name), 'status'],
    logs: [onNode(...log)],
  });
  const nodetool = onNode('cassandra', 'bin', 'nodetool');
  const { elasticsearch, ssh } = lab;
  const { tls } = lab.cql;
  const executable = lab.skep?.at(-1);
  const cluster = {
    repository: lab.repository,
    // below the lab's folder, so that neither a journal nor a report outlives the lab
    state_folder: path.join(lab.root, 'skep-state'),
    nodes: lab.nodes.map((node) => ({
      name: node.name,
      cassandra: node.address,
      elasticsearch: true,
      thehive: node.name === lab.thehive.node,
      ...(ssh === undefined ? { transport: 'local' } : {}),
    })),
    ...(ssh === undefined
      ? {}
      : { ssh: { config_file: ssh.config, ...(executable === undefined ? {} : { user: ssh.user }) } }),
    ...(executable === undefined ? {} : onHosts(executable, lab, onNode('cassandra', 'conf'))),
    cassandra: {
      keyspace: lab.thehive.keyspace,
      datacenter: lab.cql.datacenter,
      port: lab.cql.port,
      user: lab.cql.user,
      password: { file: lab.cql.passwordFile },
      ...(tls === undefined
        ? {}
        : { ca_file: tls.caFile, client: { certificate_file: tls.certificate, key_file: tls.key } }),
      nodetool: lab.jmx.tls ? ['env', `HOME=${onNode('cassandra')}`, nodetool, '--ssl'] : [nodetool],
      jmx: { user: lab.jmx.user, password_file: lab.jmx.passwordFile },
      service: service('cassandra', ['cassandra', 'logs', 'system.log']),
    },
    elasticsearch: {
      urls: elasticsearch.urls,
      ...(elasticsearch.caFile === undefined ? {} : { ca_file: elasticsearch.caFile }),
      ...(elasticsearch.user === undefined ? {} : { user: elasticsearch.user }),
      ...(elasticsearch.passwordFile === undefined ? {} : { password: { file: elasticsearch.passwordFile } }),
      staging: { location: elasticsearch.staging, node: lab.thehive.node },
      service: service('elasticsearch', ['elasticsearch', 'logs', 'elasticsearch.log']),
    },
    files: { location: lab.files.location, node: lab.thehive.node },
    thehive: { service: service('thehive', ['thehive', 'logs', 'application.log']) },
    index: { reconcile: 'janusgraph', janusgraph: { url: lab.gremlinUrl, mixed_index: lab.thehive.mixedIndex } },
    // the lab's JanusGraph has storage.write-time = 10 s
    cut: { linger: '10s' },
  };
  return stringify({ version: 1, clusters: { [lab.name]: cluster } });
}

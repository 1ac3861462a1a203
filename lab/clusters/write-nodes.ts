import { chmod, copyFile, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';
import { ensureElasticsearch, type ElasticsearchVersion } from '../ground/elasticsearch-home.ts';
import { ensureJars } from '../ground/jars.ts';
import type { Tool } from '../ground/tools.ts';
import { type CassandraVersion, isJmxOverTls, type LabLayout, type NodeLayout } from '../layout.ts';
import type { Hosts } from '../hosts/hosts.ts';
import * as cassandra from '../nodes/cassandra-config.ts';
import * as elastic from '../nodes/elasticsearch-config.ts';
import * as janus from '../nodes/janusgraph-config.ts';
import { sshdSpec } from '../nodes/sshd-config.ts';
import { LAB_ID, type ServiceSpec, writeSpec } from '../services/spec.ts';
import type { Certificates } from './certificates.ts';
import { controlScript, hasSsh, THEHIVE_NODE } from './describe.ts';
import type { Secrets } from './secrets.ts';

/** What the nodes of a lab are made of. */
export interface Parts {
  layout: LabLayout;
  labId: string;
  versions: { cassandra: CassandraVersion; elasticsearch: ElasticsearchVersion };
  cassandraYaml: Record<string, unknown>;
  tools: Record<Tool, string>;
  jars: Jars;
  secrets: Secrets;
  certificates: Certificates;
  hosts?: Hosts | undefined;
}

/** Folders with the programs. */
export interface Jars {
  cassandra: string;
  elasticsearch: string;
  janusgraph: string;
}

export async function ensurePrograms(versions: Parts['versions'], signal?: AbortSignal): Promise<Jars> {
  // one after the other: Maven's own local repository is not safe for several at once
  const cassandraJars = await ensureJars(`cassandra-${versions.cassandra}`, signal);
  const janusgraphJars = await ensureJars('janusgraph-1.1.0', signal);
  const elasticsearchHome = await ensureElasticsearch(versions.elasticsearch, signal);
  return { cassandra: cassandraJars, janusgraph: janusgraphJars, elasticsearch: elasticsearchHome };
}

/** Writes the folders, configurations, service specifications and control scripts of every node. */
export async function writeNodes(parts: Parts): Promise<void> {
  const { layout } = parts;
  await mkdir(path.join(layout.files, 'attachment'), { recursive: true });
  await mkdir(layout.staging, { recursive: true });
  for (const node of layout.nodes) {
    await writeCassandra(parts, node);
    await writeElasticsearch(parts, node);
    if (hasSsh(layout)) await service(parts, node, sshdSpec(layout, node, parts.tools.sshd, environment(parts)));
    if (node.name === THEHIVE_NODE) await writeJanusGraph(parts, node);
  }
}

async function writeCassandra(parts: Parts, node: NodeLayout): Promise<void> {
  const { layout, tools, jars, secrets } = parts;
  const at = cassandra.cassandraFolders(node);
  const folders = [at.conf, at.data, at.commitlog, at.hints, at.savedCaches, at.cdc, at.logs, at.temporary];
  await makeFolders([...folders, path.dirname(at.nodetool)]);
  await writeFile(
    path.join(at.conf, 'cassandra.yaml'),
    cassandra.cassandraYaml(layout, node, { ...(await clientTls(parts, at.conf)), ...parts.cassandraYaml }),
  );
  await writeFile(path.join(at.conf, 'cassandra-rackdc.properties'), cassandra.rackProperties(node));
  await writeFile(path.join(at.conf, 'logback.xml'), cassandra.cassandraLogback(at.logs));
  await writeFile(path.join(at.conf, 'logback-tools.xml'), cassandra.TOOLS_LOGBACK);
  await writeScript(at.nodetool, cassandra.nodetoolScript(node, tools.java, jars.cassandra));
  const jamm = (await readdir(jars.cassandra)).find((n) => n.startsWith('jamm-'));
  if (jamm === undefined) throw new SkepError('internal', 'the jars of cassandra have no jamm agent');
  const from = {
    java: tools.java,
    jars: jars.cassandra,
    jamm,
    jmxPasswords: secrets.jmx.passwordFile,
    jmxAccess: secrets.jmxAccessFile,
    jmxTls: await jmxTls(parts, at.home),
  };
  await service(parts, node, cassandra.cassandraSpec(layout, node, from, environment(parts)), 'cassandra');
}

/**
 * What Cassandra's Java needs for JMX over TLS, and below `home` what nodetool needs. Passwords are in files of arguments: everybody sees
 * those of a command line.
 */
async function jmxTls({ layout, certificates }: Parts, home: string): Promise<string[]> {
  if (!isJmxOverTls(layout)) return [];
  const argumentsFile = async (name: string, store: 'key' | 'trust', file: string): Promise<string> => {
    const options = { Store: file, StoreType: 'PKCS12', StorePassword: certificates.trustStorePassword };
    const lines = Object.entries(options).map(([key, value]) => `-Djavax.net.ssl.${store}${key}=${value}\n`);
    await writeFile(path.join(layout.secrets, name), lines.join(''), { mode: 0o600 });
    return `@${path.join(layout.secrets, name)}`;
  };
  await makeFolders([path.join(home, '.cassandra')]);
  const trust = await argumentsFile('jmx-trust-store', 'trust', certificates.trustStore);
  await writeFile(path.join(home, '.cassandra', 'nodetool-ssl.properties'), `${trust}\n`);
  const key = await argumentsFile('jmx-key-store', 'key', certificates.keyStore);
  return ['-Dcom.sun.management.jmxremote.ssl=true', key];
}

/** On hosts skep reaches Cassandra over TLS and shows a certificate; the load goes on in plain. */
async function clientTls({ hosts, certificates }: Parts, conf: string): Promise<Record<string, unknown>> {
  if (hosts === undefined) return {};
  const [keystore, truststore] = [path.join(conf, 'keystore.p12'), path.join(conf, 'truststore.p12')];
  await copyFile(certificates.keyStore, keystore);
  await copyFile(certificates.trustStore, truststore);
  const password = certificates.trustStorePassword;
  return {
    client_encryption_options: {
      ...{ enabled: true, optional: true, require_client_auth: true, store_type: 'PKCS12' },
      ...{ keystore, keystore_password: password, truststore, truststore_password: password },
    },
  };
}

async function writeElasticsearch(parts: Parts, node: NodeLayout): Promise<void> {
  const { layout, secrets, certificates } = parts;
  const version = parts.versions.elasticsearch;
  const at = elastic.elasticsearchFolders(node);
  await makeFolders([at.conf, at.data, at.logs, at.temporary]);
  await writeFile(path.join(at.conf, 'elasticsearch.yml'), elastic.elasticsearchYaml(layout, node, version));
  await writeFile(path.join(at.conf, 'log4j2.properties'), elastic.ELASTICSEARCH_LOG4J);
  if (elastic.isSecured(version)) {
    const certs = path.join(at.conf, 'certs');
    await mkdir(certs, { mode: 0o700 });
    await copyFile(certificates.caFile, path.join(certs, 'ca.crt'));
    await copyFile(certificates.certificate, path.join(certs, 'node.crt'));
    await copyFile(certificates.key, path.join(certs, 'node.key'));
    const users = [secrets.elasticsearch, secrets.graphElasticsearch];
    const lines = users.map((u) => elastic.fileRealmUser(u.user, u.password));
    await writeFile(path.join(at.conf, 'users'), lines.join(''), { mode: 0o600 });
    await writeFile(path.join(at.conf, 'users_roles'), `superuser:${users.map((u) => u.user).join(',')}\n`);
    await writeFile(path.join(at.conf, 'roles.yml'), '');
    for (const name of ['modules', 'plugins', 'lib']) {
      await symlink(path.join(parts.jars.elasticsearch, name), path.join(at.home, name));
    }
  }
  const from = { java: parts.tools.java, assembled: parts.jars.elasticsearch, caFile: certificates.caFile };
  const spec = elastic.elasticsearchSpec(layout, node, version, from, environment(parts));
  await service(parts, node, spec, 'elasticsearch');
}

async function writeJanusGraph(parts: Parts, node: NodeLayout): Promise<void> {
  const { layout, secrets, certificates } = parts;
  const conf = path.join(node.root, 'thehive', 'conf');
  await makeFolders([conf, path.join(node.root, 'thehive', 'tmp')]);
  const search = elastic.isSecured(parts.versions.elasticsearch)
    ? {
        ...secrets.graphElasticsearch,
        trustStore: certificates.trustStore,
        trustStorePassword: certificates.trustStorePassword,
      }
    : undefined;
  const properties = janus.graphProperties(layout, secrets.graphCql, search);
  await writeFile(path.join(conf, 'thehive.properties'), properties, { mode: 0o600 });
  await writeFile(path.join(conf, 'gremlin-server.yaml'), janus.gremlinServerYaml(layout, node, conf));
  await writeFile(path.join(conf, 'traversal.groovy'), janus.TRAVERSAL_SOURCE);
  await writeFile(path.join(conf, 'logback.xml'), janus.janusGraphLogback());
  const from = { java: parts.tools.java, jars: parts.jars.janusgraph };
  await service(parts, node, janus.janusGraphSpec(layout, node, from, environment(parts)), 'thehive');
}

/** Writes the specification of a service and, under `bin/`, the script by which it is started and stopped. */
async function service(
  parts: Parts,
  node: NodeLayout,
  spec: ServiceSpec,
  script?: 'cassandra' | 'elasticsearch' | 'thehive',
): Promise<void> {
  const { root } = parts.layout;
  const enter = script === undefined ? parts.hosts?.enter(node.name) : parts.hosts?.enterAs(node.name, script);
  await writeSpec(root, { ...spec, argv: [...(enter ?? []), ...spec.argv] });
  if (script === undefined) return;
  const entry = path.join(import.meta.dirname, '..', 'services', 'main.ts');
  await writeScript(
    controlScript(node, script),
    `#!/bin/sh\nexec '${process.execPath}' '${entry}' '${root}' '${spec.name}' "$@"\n`,
  );
}

/** The whole environment of a server: none of the caller's settings leak into it. */
function environment(parts: Parts): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: parts.layout.root,
    LANG: 'C.UTF-8',
    [LAB_ID]: parts.labId,
  };
}

async function makeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await mkdir(folder, { recursive: true });
}

async function writeScript(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
}

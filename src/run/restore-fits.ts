import type { CheckResult } from '../checks/check.ts';
import { addresses } from '../checks/addresses.ts';
import { elasticsearchRepository } from '../checks/elasticsearch-repository.ts';
import { nodesUp } from '../checks/nodes-up.ts';
import { pointInTime } from '../checks/point-in-time.ts';
import { refusalOf } from '../checks/preflight.ts';
import { runChecks } from '../checks/run-checks.ts';
import { sudo } from '../checks/sudo.ts';
import { versions } from '../checks/versions.ts';
import { cassandraNodes } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { discover } from '../discovery/discover.ts';
import type { Topology } from '../discovery/topology.ts';
import { graphOptions } from '../drivers/janusgraph/client.ts';
import { theHiveAccess } from '../drivers/thehive/client.ts';
import { SkepError } from '../errors.ts';
import { isS3Location } from '../s3/location.ts';
import { agentOf } from './connections.ts';
import { findPlaces, type Places } from './restore-places.ts';
import { checkRoom } from './restore-room.ts';
import type { RestoreWork } from './restore-work.ts';

/** What a restore relies on of all that `skep check` looks at; with it go the accounts for JMX and Elasticsearch. */
const RELIED_ON = [versions, nodesUp, addresses, sudo, pointInTime, elasticsearchRepository];

/**
 * Refuses a restore that would end half way: into a cluster that is not the backup's or is too old, with accounts that
 * are refused, without the right to write, without room. Changes nothing but that Elasticsearch comes to know the staging
 * repository where it does not. Gives the folders of the nodes.
 */
export async function checkFits(w: RestoreWork): Promise<Places> {
  const { c, signal } = w;
  checkAuditTimes(w);
  await checkReconcile(c.cluster);
  checkNames(w);
  const live = await discover(c.cluster, c.cql);
  checkNodes(w, live);
  const ctx = { connections: c, topology: live, clocks: [], signal, now: Date.now() };
  const found = await runChecks(ctx, RELIED_ON);
  const rights = (await mayWrite(w, live)).map((r) => ({ id: 'rights', title: 'skep may write', ...r }));
  const refusal = refusalOf([...found, ...rights]);
  if (refusal) throw refusal;
  await checkSearchVersion(w);
  await checkRoom(w, live);
  return findPlaces(c, live, w.journal.run);
}

function checkNames(w: RestoreWork): void {
  const wanted = w.details.topology.nodes;
  const names = cassandraNodes(w.c.cluster).map((n) => n.name);
  if (names.length === wanted.length && wanted.every((n) => names.includes(n.name))) return;
  throw new SkepError(
    'topology-mismatch',
    `the backup has nodes ${wanted.map((n) => n.name).join(', ')}, the cluster has ${names.join(', ')}`,
  );
}

function checkNodes(w: RestoreWork, live: Topology): void {
  for (const n of w.details.topology.nodes) {
    const now = live.nodes.find((x) => x.name === n.name);
    if (!now || now.hostId !== n.hostId || [...now.tokens].sort().join() !== [...n.tokens].sort().join()) {
      throw new SkepError('topology-mismatch', `${n.name} has another host id or other tokens than in the backup`, {
        hint: 'Restore in place needs the very nodes of the backup.',
        context: { node: n.name },
      });
    }
    if (major(now.version) < major(n.version)) {
      throw new SkepError(
        'version-unsupported',
        `${n.name} runs Cassandra ${now.version}, the backup is of ${n.version}`,
      );
    }
  }
}

/** Elasticsearch does not restore snapshots of a newer version than its own. */
async function checkSearchVersion(w: RestoreWork): Promise<void> {
  const { version } = await w.c.search.request<{ version: { number: string } }>('GET', '/');
  const of = w.details.search.version;
  if (major(version.number) >= major(of)) return;
  throw new SkepError('version-unsupported', `Elasticsearch is ${version.number}, the backup is of ${of}`);
}

/**
 * Every folder that is laid out anew must be writable, and what servers write to later must belong to who owns the folder:
 * only root can give it away. Elasticsearch only reads what is laid out for it.
 */
async function mayWrite(w: RestoreWork, live: Topology): Promise<CheckResult[]> {
  const { files, elasticsearch } = w.c.cluster;
  const folders = [
    ...live.nodes.map((n) => ({
      node: n.name,
      store: 'cassandra' as const,
      paths: [...n.dataDirs, n.commitlogDir],
      own: true,
    })),
    ...(isS3Location(files.location)
      ? []
      : [{ node: files.node, store: 'files' as const, paths: [files.location], own: true }]),
    {
      node: elasticsearch.staging.node,
      store: 'elasticsearch' as const,
      paths: [elasticsearch.staging.location],
      own: false,
    },
  ];
  const results = await mayWriteObjects(w);
  for (const { node, store, paths, own } of folders) {
    const facts = await agentOf(w.c.agents, node, store).call('node.facts', { paths }, { signal: w.signal });
    for (const s of facts.space) {
      if (s.exists && s.writable && (!own || facts.uid === 0 || facts.uid === s.uid)) continue;
      const why = !s.exists ? 'is not there' : `belongs to user ${s.uid}; ${facts.user} could not lay out files in it`;
      const cure = s.exists
        ? `let skep log in on ${node} as the owner of ${s.path}, or as root: \`ssh.user\` in skep.yaml`
        : `mend the path in skep.yaml, or mount it on ${node}`;
      results.push({ verdict: 'fail', seen: `${s.path} ${why}`, cure, node });
    }
  }
  return results;
}

/** The same of a bucket with the attachments. */
async function mayWriteObjects({ c, signal }: RestoreWork): Promise<CheckResult[]> {
  const { node, location } = c.cluster.files;
  if (!isS3Location(location)) return [];
  const o = { ...c.attachments, change: true };
  const { refused } = await agentOf(c.agents, node, 'files').call('look.bucket', o, { signal });
  if (refused === undefined) return [];
  const cure = `let the key of \`files.s3.credentials\` write, copy and delete in ${location}`;
  return [{ verdict: 'fail', seen: refused, cure, node }];
}

/** What makes the index follow the graph is needed last, when TheHive has long been stopped: its secrets are read now. */
async function checkReconcile(cluster: ClusterConfig): Promise<void> {
  const { reconcile } = cluster.index;
  if (reconcile === 'janusgraph') await graphOptions(cluster);
  if (reconcile === 'thehive') await theHiveAccess(cluster);
}

/** Without the field no audit entry would be found to be later than `T`, and all of them would stay. */
function checkAuditTimes(w: RestoreWork): void {
  const field = w.c.cluster.elasticsearch.audits_time_field;
  for (const index of w.details.search.audits) {
    if (index.docs === 0 || hasField(index.mappings, field)) continue;
    throw new SkepError('config-invalid', `${index.name} has no field ${field}: entries after T would not be found`, {
      hint: 'Set `elasticsearch.audits_time_field` in skep.yaml to the field with the time of an audit entry.',
      context: { index: index.name, field },
    });
  }
}

function hasField(mappings: Record<string, unknown>, field: string): boolean {
  const at = field
    .split('.')
    .reduce<unknown>(
      (node, name) => (node as { properties?: Record<string, unknown> } | undefined)?.properties?.[name],
      mappings,
    );
  return at !== undefined;
}

/** `4.1.10` as 401, so that versions whose files differ compare. */
function major(version: string): number {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a * 100 + b;
}

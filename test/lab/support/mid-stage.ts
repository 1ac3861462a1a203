import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Lab, withCql, withElasticsearch } from '../../../lab/index.ts';
import { snapshotTags } from '../../../src/drivers/cassandra/snapshot-files.ts';

const LOOK_EVERY_MS = 20;

type Condition = (lab: Lab) => Promise<boolean>;

const someNode = async (lab: Lab, holds: (node: Lab['nodes'][number]) => Promise<boolean>): Promise<boolean> =>
  (await Promise.all(lab.nodes.map(holds))).includes(true);

const hasNameLike = async (folder: string, pattern: RegExp): Promise<boolean> =>
  existsSync(folder) && (await readdir(folder, { recursive: true })).some((name) => pattern.test(name));

/** For the stages of a restore that last a while: what can be seen from outside once one has done a part of its work. */
const UNDER_WAY: Readonly<Record<string, Condition>> = {
  'stop-thehive': async (lab) => (await lab.janusgraph.state()) !== 'ready',
  'undo-elasticsearch': (lab) => hasNameLike(lab.record.elasticsearch.staging, /^undo-/),
  'undo-cassandra': (lab) =>
    someNode(lab, async ({ record }) => {
      const tags = await snapshotTags([record.cassandra.data], lab.record.thehive.keyspace, 'skep-undo-');
      return tags.length > 0;
    }),
  schema: (lab) => withCql(lab.record, async (cql) => (await tablesOf(cql, lab)).length > 0),
  grace: (lab) =>
    withCql(lab.record, async (cql) => (await tablesOf(cql, lab)).some((t) => Number(t.gc_grace_seconds) > 1e8)),
  drain: (lab) => someNode(lab, async (n) => (await n.cassandra.state()) !== 'ready'),
  'stop-cassandra': (lab) => someNode(lab, async (n) => (await n.cassandra.pid()) === undefined),
  'aside-cassandra': (lab) =>
    someNode(lab, ({ record }) =>
      hasNameLike(path.join(path.dirname(record.cassandra.data), 'skep-undo'), /\/data0\/|\/commitlog\//),
    ),
  cassandra: (lab) =>
    someNode(lab, ({ record }) =>
      hasNameLike(path.join(record.cassandra.data, lab.record.thehive.keyspace), /^[^/]+\/[^/]+-Data\.db$/),
    ),
  files: (lab) => hasNameLike(path.join(lab.record.files.location, '.skep-undo'), /./),
  'elasticsearch-files': (lab) => hasNameLike(lab.record.elasticsearch.staging, /^restore-/),
  'start-cassandra': (lab) => someNode(lab, async (n) => (await n.cassandra.pid()) !== undefined),
  elasticsearch: (lab) =>
    withElasticsearch(lab.record, (es) => es.indices.exists({ index: 'skep-restored-*', allow_no_indices: false })),
  repair: (lab) =>
    withCql(lab.record, async (cql) => {
      const { rows } = await cql.execute('SELECT completed FROM system_views.repairs');
      return rows.some((r) => r['completed'] === false);
    }),
  audits: (lab) => hasNameLike(path.join(lab.root, 'skep-state'), /^audits-after-/),
  index: async (lab) => (await lab.janusgraph.state()) === 'ready',
};

async function tablesOf(cql: Parameters<Parameters<typeof withCql>[1]>[0], lab: Lab) {
  const query = 'SELECT table_name, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ?';
  return (await cql.execute(query, [lab.record.thehive.keyspace], { prepare: true })).rows;
}

/**
 * Resolves when a stage has done a part of its work (at once where that cannot be told), or when `over` is aborted, for a
 * stage may end between two looks.
 */
export async function untilUnderWay(lab: Lab, stage: string, over: AbortSignal): Promise<void> {
  const holds = UNDER_WAY[stage];
  while (holds && !over.aborted) {
    // While a store starts or stops it cannot be asked.
    if (await holds(lab).catch(() => false)) return;
    await delay(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

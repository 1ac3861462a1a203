import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { repairNodes } from '../checks/fix-repair.ts';
import { discover } from '../discovery/discover.ts';
import { trimAudits } from '../drivers/elasticsearch/trim-audits.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { settleBatches } from './batches.ts';
import { drainAll, keepStopped, renewCql, startAll } from './cassandra-life.ts';
import { agentOf } from './connections.ts';
import type { Details } from './details.ts';
import { stateFolder } from './journal.ts';
import { reconcileIndex, type ReconcileResult } from './reconcile-index.ts';
import { layOutCassandra, setCassandraAside } from './restore-cassandra.ts';
import { layOutFiles, layOutSearch } from './restore-files.ts';
import { grantAgain, noteGrants } from './restore-grants.ts';
import { lowerGrace, raiseGrace, restoreSchema, snapshotForUndo } from './restore-schema.ts';
import { restoreFolder, restoreLifecycle, restoreSearch, snapshotSearchForUndo } from './restore-search.ts';
import type { RestoreWork } from './restore-work.ts';
import { nodesOf, startService, stopService } from './services.ts';
import { stage } from './stage.ts';

/** What a restore tells at its end. */
export interface Restored {
  index: ReconcileResult;
  audits: { count: number; file: string };
}

/**
 * Takes every step that the journal does not have yet. Each may be half done when it begins: nothing is taken for done
 * but what the journal says, and what a step destroys was kept by an earlier one.
 */
export async function restoreSteps(w: RestoreWork): Promise<Restored> {
  const { c, details, journal, signal, emit } = w;
  const { run } = journal;
  const { resumed } = journal;
  const step = async (name: string, text: string, work: () => Promise<unknown>) => {
    if (journal.isDone(name)) return;
    signal.throwIfAborted();
    await stage(emit, name, text, work);
    await journal.markDone(name);
  };
  const thehive = (act: typeof startService) =>
    Promise.all(nodesOf(c.cluster, 'thehive').map((n) => act(c, n.name, 'thehive', signal)));

  await step('stop-thehive', 'stopping TheHive', () => thehive(stopService));
  // It may have been started since, by hand or with its machine.
  if (resumed && !journal.isDone('start-thehive')) await thehive(stopService);
  await step('batches', 'carrying out what is left in the batch log', () => settleBatches(w));
  await step('undo-elasticsearch', 'keeping what Elasticsearch has now', async () => {
    await journal.setFact('undo-indices', await snapshotSearchForUndo(c, run, signal));
  });
  await step('undo-cassandra', 'keeping what Cassandra has now', async () => {
    await noteGrants(w);
    await snapshotForUndo(c, `skep-undo-${run}`, signal);
  });
  await step('schema', 'bringing the schema to the backup', () => restoreSchema(c, details, signal));
  await step('grace', 'raising gc_grace_seconds until the repair', () => raiseGrace(c, details, signal));
  await step('drain', 'draining every Cassandra node', () => drainAll(w));
  await step('stop-cassandra', 'stopping Cassandra everywhere', () =>
    Promise.all(nodesOf(c.cluster, 'cassandra').map((n) => stopService(c, n.name, 'cassandra', signal))),
  );
  if (resumed && !journal.isDone('laid-out')) await keepStopped(w);
  await step('aside-cassandra', 'setting the old tables, commit logs, hints and caches aside', () =>
    setCassandraAside(w),
  );
  await step('cassandra', 'laying out tables and filtered commit logs', () => layOutCassandra(w));
  await step('files', 'laying out the attachments', () => layOutFiles(w));
  await step('elasticsearch-files', 'laying out the Elasticsearch snapshot', () => layOutSearch(w));
  // From here on a node that runs was started on all that it must have.
  if (!journal.isDone('laid-out')) await journal.markDone('laid-out');
  await step('start-cassandra', 'starting Cassandra: it replays the commit logs', () => startAll(w));
  if (c.cql.size === 0) await renewCql(c, signal);
  await step('verify-cassandra', 'checking schema and nodes', () => checkRing(w));
  await step('grants', 'granting again what went with the keyspace', () => grantAgain(w));
  await step('elasticsearch', 'restoring the indices', () =>
    restoreSearch(c, details, { run, kept: (journal.fact('undo-indices') ?? []) as string[], signal }),
  );
  // A step of its own: once the files are gone the one before cannot be repeated.
  await step('elasticsearch-tidy', 'removing the laid out Elasticsearch snapshot', () =>
    agentOf(c.agents, c.cluster.elasticsearch.staging.node, 'elasticsearch').call('restore.remove', {
      folders: [restoreFolder(c, run)],
    }),
  );
  if (c.cluster.restore.repair) {
    await step('repair', 'full repair, node after node', () => {
      const names = nodesOf(c.cluster, 'cassandra').map((n) => n.name);
      const progress: Emit = (e) => e.type === 'progress' && emit(e);
      return repairNodes(c, details.topology, names, { signal, emit: progress });
    });
    await step('grace-back', 'putting gc_grace_seconds back', () => lowerGrace(c, details, signal));
  } else {
    emit({
      type: 'warning',
      text: 'no repair was made: gc_grace_seconds stays high until you run `nodetool repair --full` and put it back',
    });
  }
  const file = join(stateFolder(c.cluster), `audits-after-${run}.ndjson`);
  await step('audits', 'setting audit entries after T aside', () => setAuditsAside(w, file));
  await step('start-thehive', 'starting TheHive for its index', () => thehive(startService));
  await step('index', 'making the index follow the graph', async () => {
    await journal.setFact('index', { ...(await reconcileIndex(c, details, signal)) });
  });
  if (c.cluster.index.reconcile !== 'janusgraph') {
    emit({
      type: 'warning',
      text: `documents of entities that are gone were not looked for: index.reconcile is ${c.cluster.index.reconcile}`,
    });
  }
  await step('lifecycle', 'putting lifecycle settings back', () => restoreLifecycle(c, details));
  return { index: journal.fact('index') as ReconcileResult, audits: { count: auditsAside(w), file } };
}

function auditsAside(w: RestoreWork): number {
  return Number(w.journal.fact('audits') ?? 0);
}

/** Entries are in the file before they are deleted; one that is there twice was interrupted in between. */
async function setAuditsAside(w: RestoreWork, file: string): Promise<void> {
  const { c, details, journal } = w;
  await mkdir(stateFolder(c.cluster), { recursive: true, mode: 0o700 });
  for (const index of details.search.audits) {
    await trimAudits(
      c.search,
      index.name,
      c.cluster.elasticsearch.audits_time_field,
      BigInt(details.cut.T),
      async (entries) => {
        await appendFile(file, entries.map((e) => `${JSON.stringify(e)}\n`).join(''), { mode: 0o600, flush: true });
        await journal.setFact('audits', auditsAside(w) + entries.length);
      },
    );
  }
}

/** Every node is there again under its own host id, and all agree on the schema. */
async function checkRing(w: RestoreWork): Promise<void> {
  const now = await discover(w.c.cluster, w.c.cql);
  const ids = (t: Details['topology']) =>
    t.nodes
      .map((n) => n.hostId)
      .sort()
      .join();
  if (ids(now) !== ids(w.details.topology)) {
    throw new SkepError('topology-mismatch', 'the nodes came back under other host ids than the backup has');
  }
  const tables = (t: Details['topology']) =>
    t.tables
      .map((x) => `${x.name}-${x.id}`)
      .sort()
      .join();
  if (tables(now) !== tables(w.details.topology)) {
    throw new SkepError('restore-failed', 'the tables are not those of the backup after the start');
  }
}

import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions, discover, openCqlSessions } from '../discovery/discover.ts';
import { nodetool } from '../drivers/cassandra/nodetool.ts';
import { trimAudits } from '../drivers/elasticsearch/trim-audits.ts';
import { UNDO_FOLDER } from '../drivers/files/walk.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { newBackupId, type VerifyLevel } from '../repository/index.ts';
import { Cleanup } from './cleanup.ts';
import { agentOf, connect, disconnect, onCassandraNodes } from './connections.ts';
import { type Details, parseDetails } from './details.ts';
import { resolveId } from './inspect.ts';
import { Journal, stateFolder } from './journal.ts';
import { openOwnRepository } from './open-repository.ts';
import { listingOf, type RestoreWork } from './restore-work.ts';
import { reconcileIndex, type ReconcileResult } from './reconcile-index.ts';
import { checkFits, planRestore } from './restore-plan.ts';
import { layOutCassandra, setCassandraAside } from './restore-cassandra.ts';
import { lowerGrace, raiseGrace, restoreSchema, snapshotForUndo } from './restore-schema.ts';
import { restoreFolder, restoreLifecycle, restoreSearch, snapshotSearchForUndo } from './restore-search.ts';
import { nodesOf, startService, stopService } from './services.ts';
import { stage } from './stage.ts';

export interface RestoreOptions {
  /** A backup's id, the beginning of it, or `latest`. */
  id: string;
  signal: AbortSignal;
  emit: Emit;
  dryRun?: boolean;
  /** How the backup is checked before anything is changed; `data` when absent. */
  verify?: VerifyLevel;
}

export interface RestoreResult {
  run: string;
  backup: string;
  /** Decimal µs: the instant that the cluster is at now. */
  T: string;
  seconds: number;
  resumed: boolean;
  auditsSetAside: number;
  /** Where the audit entries later than `T` were written; absent when there were none. */
  auditsFile?: string;
  index: ReconcileResult;
}

/**
 * Brings the whole cluster, in place, to the instant of a backup; undefined for a dry run. Every step is written down
 * when it is done, and may be repeated: the same call goes on where an interrupted one stopped. What was there before
 * is set aside, not deleted. Source: DESIGN 6.
 */
export async function restore(cluster: ClusterConfig, o: RestoreOptions): Promise<RestoreResult | undefined> {
  const started = Date.now();
  const repository = await openOwnRepository(cluster);
  const backup = await resolveId(cluster, o.id);
  const manifest = await repository.readManifest(backup);
  const details = parseDetails(manifest.details, backup);
  const journal = await Journal.open({ folder: stateFolder(), cluster: cluster.name, backup, run: newBackupId() });
  const log = repository.runLog(journal.run);
  const emit: Emit = (event) => {
    if (event.type !== 'progress') log.write({ at: new Date().toISOString(), ...event });
    o.emit(event);
  };
  const cleanup = new Cleanup();
  emit({ type: 'run-started', command: 'restore', run: journal.run, cluster: cluster.name });
  try {
    const c = await connect(cluster, o.signal);
    cleanup.add('connections', () => disconnect(c));
    const w: RestoreWork = { c, backup, parts: manifest.parts, details, journal, signal: o.signal, emit };
    await checkFits(w);
    if (o.dryRun) {
      emit({ type: 'plan', steps: planRestore(w) });
      return undefined;
    }
    await stage(emit, 'verify', 'verifying the backup', async () => {
      const report = await repository.verify({ ids: [backup], level: o.verify ?? 'data', signal: o.signal });
      if (report.ok) return;
      throw new SkepError('damage-found', `backup ${backup} is damaged: ${report.findings.length} findings`, {
        context: { findings: report.findings.slice(0, 20) },
      });
    });
    const lease = await repository.acquireLease('read', { run: journal.run, host: 'restore', pid: process.pid });
    cleanup.add('lease', () => lease.release());
    const { index, audits } = await steps(w);
    await journal.finish();
    return {
      run: journal.run,
      backup,
      T: details.cut.T,
      seconds: Math.round((Date.now() - started) / 100) / 10,
      resumed: journal.resumed,
      auditsSetAside: audits.count,
      ...(audits.count > 0 ? { auditsFile: audits.file } : {}),
      index,
    };
  } catch (e) {
    const error = toSkepError(o.signal.aborted && o.signal.reason instanceof SkepError ? o.signal.reason : e);
    emit({ type: 'error', error: error.toJSON() });
    throw error;
  } finally {
    await cleanup.runAll(emit);
    await log.flush();
  }
}

async function steps(w: RestoreWork): Promise<{ index: ReconcileResult; audits: { count: number; file: string } }> {
  const { c, details, journal, signal, emit } = w;
  const { run } = journal;
  const step = async (name: string, text: string, work: () => Promise<unknown>) => {
    if (journal.isDone(name)) return;
    signal.throwIfAborted();
    await stage(emit, name, text, work);
    await journal.markDone(name);
  };
  const everywhere = (service: 'cassandra' | 'thehive', act: typeof startService) =>
    Promise.all(nodesOf(c.cluster, service).map((n) => act(c, n.name, service, signal)));

  await step('stop-thehive', 'stopping TheHive', () => everywhere('thehive', stopService));
  await step('undo-elasticsearch', 'keeping what Elasticsearch has now', () => snapshotSearchForUndo(c, run, signal));
  await step('undo-cassandra', 'keeping what Cassandra has now', () => snapshotForUndo(c, `skep-undo-${run}`, signal));
  await step('schema', 'bringing the schema to the backup', () => restoreSchema(c, details, signal));
  await step('grace', 'raising gc_grace_seconds until the repair', () => raiseGrace(c, details, signal));
  await step('drain', 'draining every Cassandra node', () =>
    onCassandraNodes(c, (agent) => nodetool(agent, c.cluster, ['drain'], { signal, timeoutMs: 600_000 })),
  );
  await step('stop-cassandra', 'stopping Cassandra everywhere', () => everywhere('cassandra', stopService));
  await step('aside-cassandra', 'setting the old tables, commit logs, hints and caches aside', () =>
    setCassandraAside(w),
  );
  await step('cassandra', 'laying out tables and filtered commit logs', () => layOutCassandra(w));
  await step('files', 'laying out the attachments', () => layOutFiles(w));
  await step('elasticsearch-files', 'laying out the Elasticsearch snapshot', () => layOutSearch(w));
  await step('start-cassandra', 'starting Cassandra: it replays the commit logs', async () => {
    await everywhere('cassandra', startService);
    await renewCql(w);
  });
  if (journal.resumed) await renewCql(w);
  await step('verify-cassandra', 'checking schema and nodes', () => checkRing(w));
  await step('elasticsearch', 'restoring the indices', async () => {
    await restoreSearch(c, details, run, signal);
    const { staging } = c.cluster.elasticsearch;
    await agentOf(c.agents, staging.node).call('restore.remove', { folders: [restoreFolder(c, run)] });
  });
  if (c.cluster.restore.repair) {
    await step('repair', 'full repair, node after node', async () => {
      for (const n of nodesOf(c.cluster, 'cassandra')) {
        const args = ['repair', '--full', '-pr', '--', details.topology.keyspace];
        await nodetool(agentOf(c.agents, n.name), c.cluster, args, { signal, timeoutMs: 7 * 24 * 3_600_000 });
      }
    });
    await step('grace-back', 'putting gc_grace_seconds back', () => lowerGrace(c, details, signal));
  } else {
    emit({
      type: 'warning',
      text: 'no repair was made: gc_grace_seconds stays high until you run `nodetool repair --full` and put it back',
    });
  }
  const audits = { count: 0, file: join(stateFolder(), `audits-after-${run}.ndjson`) };
  await step('audits', 'setting audit entries after T aside', async () => {
    await mkdir(stateFolder(), { recursive: true, mode: 0o700 });
    for (const index of details.search.audits) {
      audits.count += await trimAudits(
        c.search,
        index.name,
        c.cluster.elasticsearch.audits_time_field,
        BigInt(details.cut.T),
        (entries) => appendFile(audits.file, entries.map((e) => `${JSON.stringify(e)}\n`).join(''), { mode: 0o600 }),
      );
    }
    await journal.setFact('audits', audits.count);
  });
  audits.count = Number(journal.fact('audits') ?? 0);
  await step('start-thehive', 'starting TheHive for its index', () => everywhere('thehive', startService));
  await step('index', 'making the index follow the graph', async () => {
    await journal.setFact('index', { ...(await reconcileIndex(c, details, signal)) });
  });
  await step('lifecycle', 'putting lifecycle settings back', () => restoreLifecycle(c, details));
  return { index: journal.fact('index') as ReconcileResult, audits };
}

async function layOutFiles(w: RestoreWork): Promise<void> {
  const { location, node } = w.c.cluster.files;
  const agent = agentOf(w.c.agents, node);
  const listing = listingOf(w, 'files');
  const aside = join(location, UNDO_FOLDER, w.journal.run);
  if (!w.journal.isDone('files-aside')) {
    await agent.call('restore.aside', { moves: [{ from: location, to: aside, keep: [UNDO_FOLDER] }] });
    await w.journal.markDone('files-aside');
  }
  await agent.call(
    'restore.tree',
    { repository: w.c.cluster.repository, listing, prefix: '', to: location, reuse: aside },
    {
      signal: w.signal,
      onProgress: (p) =>
        w.emit({
          type: 'progress',
          node,
          store: 'files',
          stage: 'lay out',
          ...p,
          totalFiles: listing.files,
          totalBytes: listing.bytes,
        }),
    },
  );
}

async function layOutSearch(w: RestoreWork): Promise<void> {
  const { node } = w.c.cluster.elasticsearch.staging;
  const listing = listingOf(w, 'elasticsearch');
  await agentOf(w.c.agents, node).call(
    'restore.tree',
    { repository: w.c.cluster.repository, listing, prefix: '', to: restoreFolder(w.c, w.journal.run) },
    {
      signal: w.signal,
      onProgress: (p) =>
        w.emit({
          type: 'progress',
          node,
          store: 'elasticsearch',
          stage: 'lay out',
          ...p,
          totalFiles: listing.files,
          totalBytes: listing.bytes,
        }),
    },
  );
}

/** Connects to CQL anew after a restart; waits until every node answers and is up. */
async function renewCql(w: RestoreWork): Promise<void> {
  const deadline = Date.now() + 600_000;
  for (;;) {
    try {
      const fresh = await openCqlSessions(w.c.cluster);
      await closeCqlSessions(w.c.cql);
      w.c.cql = fresh;
      return;
    } catch (e) {
      if (Date.now() > deadline || (e instanceof SkepError && e.code === 'cql-credentials')) throw e;
      await delay(1000, undefined, { signal: w.signal });
    }
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
  const wanted = w.details.topology.tables
    .map((t) => `${t.name}-${t.id}`)
    .sort()
    .join();
  if (
    now.tables
      .map((t) => `${t.name}-${t.id}`)
      .sort()
      .join() !== wanted
  ) {
    throw new SkepError('restore-failed', 'the tables are not those of the backup after the start');
  }
}

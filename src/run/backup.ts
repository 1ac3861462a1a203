import { hostname } from 'node:os';
import { preflight } from '../checks/preflight.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { discover } from '../discovery/discover.ts';
import type { Topology } from '../discovery/topology.ts';
import { stagingFolder } from '../drivers/elasticsearch/snapshots.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Captured } from '../protocol/methods.ts';
import { STORES } from '../remote/become.ts';
import {
  type Compression,
  type FolderMarks,
  type Manifest,
  type ManifestDetails,
  type ManifestPart,
  newBackupId,
} from '../repository/index.ts';
import { VERSION } from '../version.ts';
import { checkAlone, keepOnly } from './capture-search.ts';
import { Cleanup } from './cleanup.ts';
import { type BackupWork, targetOf } from './backup-work.ts';
import { checkCold, holdTheHive, notStarted } from './cold.ts';
import { configPaths } from './config-paths.ts';
import { agentOf, connect, type Connections, disconnect, measureClocks } from './connections.ts';
import { refuseDamaged } from './damaged-attachments.ts';
import { refuseLost } from './lost-attachments.ts';
import { lookFromNodes, tellDataPaths } from './data-path.ts';
import type { Details } from './details.ts';
import { stateFolder, unfinishedRestore } from './journal.ts';
import { checkOwner, openOwnRepository } from './open-repository.ts';
import { previousListing } from './previous-listing.ts';
import { endLog, stage } from './stage.ts';
import { checkLock } from './retention.ts';
import { sweepNodes, sweepRepository } from './sweep.ts';
import { cutUntilGood } from './try-cut.ts';

export interface BackupOptions {
  signal: AbortSignal;
  emit: Emit;
  dryRun?: boolean;
  /** Instead of the configuration's. */
  compression?: Compression;
  /** TheHive is stopped until all of the cut is taken. */
  cold?: boolean;
}

export interface BackupResult {
  id: string;
  /** Decimal µs. */
  T: string;
  seconds: number;
  files: number;
  bytes: number;
  newBytes: number;
  lingerSeconds: number;
  attempts: number;
  /** The most memory that the controller and each agent had. */
  peakRssBytes: Record<string, number>;
}

/**
 * Takes one backup of the whole cluster and publishes it; undefined for a dry run. Whatever fails, nothing is published
 * and snapshots, pins and lease are given back. Source: DESIGN 4.
 */
export async function backup(given: ClusterConfig, opts: BackupOptions): Promise<BackupResult | undefined> {
  const cold = opts.cold === true;
  // Nothing is in flight once TheHive has stopped.
  const cluster = cold ? { ...given, cut: { ...given.cut, linger: 0 } } : given;
  const repository = await openOwnRepository(cluster);
  const lock = await checkLock(cluster, repository);
  await refuseDuringRestore(cluster);
  const run = newBackupId();
  const log = repository.runLog(run);
  const cleanup = new Cleanup();
  const emit: Emit = (event) => {
    if (event.type !== 'progress') log.write({ at: new Date().toISOString(), ...event });
    opts.emit(event);
  };
  const startedAt = new Date();
  emit({ type: 'run-started', command: 'backup', run, cluster: cluster.name });
  try {
    // What starts TheHive again hands its niceness on.
    const c = await connect(cluster, opts.signal, { nice: cold ? 0 : cluster.agent.nice });
    cleanup.add('connections', () => disconnect(c));
    const topology = await stage(
      emit,
      'discover',
      'asking the nodes what they are, checking that they are fit for a backup',
      async () => {
        const found = await discover(cluster, c.cql);
        await checkOwner(repository, found);
        const clocks = await measureClocks(c.agents);
        const ctx = { connections: c, topology: found, clocks, signal: opts.signal, now: Date.now() };
        await preflight(ctx, { emit });
        await lookFromNodes(c, opts.signal);
        if (cold) await checkCold(ctx);
        return found;
      },
    );
    if (opts.dryRun) {
      emit({ type: 'plan', steps: plan(c, topology, cold) });
      return undefined;
    }
    const owner = { run, host: hostname(), pid: process.pid };
    const lease = await repository.acquireLease('write', owner, { staging: true });
    cleanup.add('lease', () => lease.release());
    cleanup.add('staged objects', () => repository.discardRun(run));
    await sweepRepository(repository, lease, emit);
    await sweepNodes(c, topology, repository, { signal: opts.signal, emit });
    const compression = opts.compression ?? cluster.repository.compression;
    const work = { c, run, repository, topology, cleanup, emit, signal: opts.signal, compression };
    const { parts, marks, details, attempts, notStartedFor } = await capture(work, cold);
    const manifest = await stage(emit, 'publish', 'checking what was written, publishing the manifest', () =>
      repository.publish(
        {
          id: run,
          startedAt: startedAt.toISOString(),
          finishedAt: new Date().toISOString(),
          consistency: 'cut',
          cutMicros: details.cut.T,
          parts,
          hostIds: details.topology.nodes.map((n) => n.hostId),
          details: JSON.parse(JSON.stringify(details)) as ManifestDetails,
        },
        {
          lease,
          signal: opts.signal,
          marks,
          ...lock,
          onDamage: (why) =>
            emit({ type: 'warning', text: `the inventory is written anew, since an older one is damaged: ${why}` }),
        },
      ),
    );
    if (notStartedFor) throw notStarted(run, notStartedFor);
    return { ...summarize(manifest, details, attempts, startedAt), peakRssBytes: await peakMemory(c) };
  } catch (e) {
    const error = toSkepError(opts.signal.aborted && opts.signal.reason instanceof SkepError ? opts.signal.reason : e);
    emit({ type: 'error', error: error.toJSON() });
    throw error;
  } finally {
    await cleanup.runAll(emit);
    await endLog(log, opts.emit);
  }
}

/** What is there in the middle of a restore is no state of the cluster at any instant. */
async function refuseDuringRestore(cluster: ClusterConfig): Promise<void> {
  const backup = await unfinishedRestore(stateFolder(cluster), cluster.name);
  if (backup === undefined) return;
  throw new SkepError('preflight-failed', `a restore of ${backup} was begun and has not ended`, {
    hint: `Run \`skep restore ${backup}\` to the end first.`,
    context: { backup },
  });
}

interface CapturedAll {
  parts: ManifestPart[];
  /** See `Repository.publish`. */
  marks: ReadonlyMap<string, FolderMarks>;
  details: Details;
  attempts: number;
  /** Why TheHive could not be started again after a cold cut. */
  notStartedFor: SkepError | undefined;
}

async function capture(w: BackupWork, cold: boolean): Promise<CapturedAll> {
  const { c, emit, signal } = w;
  const { files } = c.cluster;
  const filesAgent = agentOf(c.agents, files.node, 'files');
  const filesTarget = targetOf(w, files.node, 'files');
  // A listing that is sealed to those who restore cannot be read here.
  const previous = w.repository.sealed ? undefined : await previousListing(w.repository, files.node, 'files');
  const config = await captureConfig(w);
  w.cleanup.add('attachment pins', () => filesAgent.call('files.stop', { run: w.run }));
  await stage(emit, 'files', 'attachments, first pass', () =>
    filesAgent.call(
      'files.start',
      { target: filesTarget, ...c.attachments, pollMs: files.poll, ...(previous ? { previous } : {}) },
      {
        signal,
        onProgress: (p) => emit({ type: 'progress', node: files.node, store: 'files', stage: 'pass 1', ...p }),
      },
    ),
  );
  const held = cold ? await holdTheHive(w) : undefined;
  const taken = await takeAll().catch(async (e: unknown) => {
    // Not after the rest of the clean-up: that waits for nodes that may be gone.
    await held?.start();
    throw e;
  });
  const { cut, schema, search, cassandra, attempts, filesDone } = taken;
  const notStartedFor = await held?.start();
  refuseLost(filesDone.lost, { T: cut.T, lingerMs: c.cluster.cut.linger, location: files.location });
  await refuseDamaged(c, filesDone.mismatched, { signal, emit });
  const searchDone = await stage(emit, 'elasticsearch', 'storing the elasticsearch snapshot', async () => {
    await keepOnly(c, search.name);
    const { staging } = c.cluster.elasticsearch;
    const target = targetOf(w, staging.node, 'elasticsearch');
    const onProgress = (p: object) =>
      emit({ type: 'progress', node: staging.node, store: 'elasticsearch', stage: 'store', files: 0, bytes: 0, ...p });
    const stored = await agentOf(c.agents, staging.node, 'elasticsearch').call(
      'capture.tree',
      { target, folder: stagingFolder(staging.location) },
      { signal, onProgress },
    );
    await checkAlone(c, search.name);
    return stored;
  });
  // The snapshot stays in staging: the next one needs only what is new since.
  w.cleanup.add('elasticsearch snapshot', () => Promise.resolve());
  await w.cleanup.runNow('attachment pins');
  const parts = [
    ...[...cassandra].map(([node, r]) => part(node, 'cassandra', r)),
    part(c.cluster.elasticsearch.staging.node, 'elasticsearch', searchDone),
    part(files.node, 'files', filesDone),
    ...[...config].map(([node, r]) => part(node, 'config', r)),
  ];
  const details: Details = {
    skep: VERSION,
    topology: cut.topology,
    schema,
    cut: {
      T: String(cut.T),
      attempts,
      lingerMs: c.cluster.cut.linger,
      cold,
      clocks: cut.clocks,
      snapshots: cut.snapshots,
      segments: [...cassandra].map(([node, r]) => ({ node, ids: r.ids, evidence: { ...r.evidence } })),
      truncated: Object.fromEntries(cut.truncated),
    },
    search: search.details,
    files: { pinned: filesDone.pinned, mismatched: filesDone.mismatched },
  };
  const marks = new Map([[filesDone.listing.inventory, filesDone.marks]]);
  return { parts, marks, details, attempts, notStartedFor };

  /** The cut, and the last look at the attachments: TheHive goes on after that. */
  async function takeAll() {
    const good = await cutUntilGood(w);
    const filesDone = await stage(emit, 'files-2', 'attachments, second pass', () =>
      filesAgent.call('files.finish', { target: filesTarget }, { signal }),
    );
    return { ...good, filesDone };
  }
}

/** Before the cut: what cannot be read is told before anything is pinned. */
async function captureConfig(w: BackupWork): Promise<Map<string, Captured>> {
  const { c, emit, signal } = w;
  const captured = new Map<string, Captured>();
  if (c.cluster.config === undefined) return captured;
  await stage(emit, 'config', 'configurations of the servers, versions of packages', async () => {
    for (const node of c.cluster.nodes) {
      const paths = configPaths(c.cluster, node);
      const target = targetOf(w, node.name, 'config');
      const r = await agentOf(c.agents, node.name, 'config').call('capture.config', { target, paths }, { signal });
      captured.set(node.name, r);
    }
  });
  return captured;
}

function part(node: string, store: string, r: Captured): ManifestPart {
  const { root, inventory, files, bytes } = r.listing;
  return { node, store, root, inventory, files, bytes, newBytes: r.newBytes };
}

function summarize(
  manifest: Manifest,
  details: Details,
  attempts: number,
  startedAt: Date,
): Omit<BackupResult, 'peakRssBytes'> {
  const sum = (of: (p: ManifestPart) => number) => manifest.parts.reduce((n, p) => n + of(p), 0);
  return {
    id: manifest.id,
    T: details.cut.T,
    seconds: Math.round((Date.now() - startedAt.getTime()) / 100) / 10,
    files: sum((p) => p.files),
    bytes: sum((p) => p.bytes),
    newBytes: sum((p) => p.newBytes),
    lingerSeconds: details.cut.lingerMs / 1000,
    attempts,
  };
}

/** An agent that does not answer is left out: the backup is published whatever becomes of it. */
async function peakMemory(c: Connections): Promise<Record<string, number>> {
  const peaks: Record<string, number> = { controller: process.resourceUsage().maxRSS * 1024 };
  for (const [node, agent] of c.agents) {
    for (const process of new Set([agent, ...STORES.map((store) => agent.as(store))])) {
      const facts = await process.call('node.facts', { paths: [] }).catch(() => undefined);
      if (facts) peaks[node] = Math.max(peaks[node] ?? 0, facts.peakRssBytes);
    }
  }
  return peaks;
}

function plan(c: Connections, topology: Topology, cold: boolean): { text: string; changes: boolean }[] {
  const { cluster } = c;
  const nodes = topology.nodes.map((n) => n.name).join(', ');
  const { keyspace } = topology;
  return [
    ...tellDataPaths(c).map((text) => ({ text, changes: false })),
    { text: `store new attachments of ${cluster.files.location} (${cluster.files.node})`, changes: false },
    ...(cluster.config
      ? [{ text: 'store the configurations of the servers and the versions of packages of every node', changes: false }]
      : []),
    ...(cold ? [{ text: 'stop TheHive until the cut is taken, then start it again', changes: true }] : []),
    { text: `pin the commit log on ${nodes}: hard links, removed at the end`, changes: true },
    {
      text: `nodetool snapshot of ${keyspace} (${topology.tables.length} tables) on ${nodes}, cleared at the end`,
      changes: true,
    },
    { text: `choose T, then wait ${cluster.cut.linger / 1000} s for commits in flight`, changes: false },
    {
      text: `elasticsearch snapshot of ${cluster.elasticsearch.index} and ${cluster.elasticsearch.audits}`,
      changes: true,
    },
    {
      text: `store snapshots, segments and attachments in ${cluster.repository.location}, publish the manifest`,
      changes: false,
    },
  ];
}

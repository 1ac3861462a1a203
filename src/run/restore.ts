import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { newBackupId, type VerifyLevel } from '../repository/index.ts';
import { mayBeDown } from './cassandra-life.ts';
import { Cleanup } from './cleanup.ts';
import { connect, disconnect } from './connections.ts';
import { type ReadKeys, readAccessTo } from './access-to.ts';
import { requireReading } from './data-path.ts';
import { parseDetails } from './details.ts';
import { resolveId } from './inspect.ts';
import { Journal, stateFolder } from './journal.ts';
import { openOwnRepository } from './open-repository.ts';
import { takeLock } from './process-lock.ts';
import type { ReconcileResult } from './reconcile-index.ts';
import { requireWhole } from './require-whole.ts';
import { checkFits } from './restore-fits.ts';
import { planRestore } from './restore-plan.ts';
import { notePlaces } from './restore-places.ts';
import { restoreSteps } from './restore-steps.ts';
import type { RestoreWork } from './restore-work.ts';
import { requireTheHive } from './services.ts';
import { endLog, stage } from './stage.ts';

export interface RestoreOptions {
  /** A backup's id, the beginning of it, or `latest`. */
  id: string;
  signal: AbortSignal;
  emit: Emit;
  dryRun?: boolean;
  /** What opens a sealed repository. */
  keys?: ReadKeys;
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
  const access = await readAccessTo(cluster, o.keys);
  const repository = await openOwnRepository(cluster, access);
  const backup = await resolveId(cluster, o.id);
  const manifest = await repository.readManifest(backup);
  const details = parseDetails(await repository.readDetails(manifest), backup);
  requireTheHive(cluster);
  const cleanup = new Cleanup();
  if (!o.dryRun) await lockRestore(cluster, cleanup);
  const opening = Journal.open({ folder: stateFolder(cluster), cluster: cluster.name, backup, run: newBackupId() });
  const journal = await opening.catch(async (e) => {
    await cleanup.runAll(o.emit);
    throw e;
  });
  const log = repository.runLog(journal.run);
  const emit: Emit = (event) => {
    if (event.type !== 'progress') log.write({ at: new Date().toISOString(), ...event });
    o.emit(event);
  };
  emit({ type: 'run-started', command: 'restore', run: journal.run, cluster: cluster.name });
  try {
    const down = mayBeDown(journal);
    const c = await connect(cluster, o.signal, { cql: !down, access });
    cleanup.add('connections', () => disconnect(c));
    await requireReading(c, o.signal);
    const w: RestoreWork = { c, backup, parts: manifest.parts, details, journal, signal: o.signal, emit };
    // Later, what the cluster is and how much room there is tells only how far the restore has come.
    const isFresh = !down && !journal.isDone('start-cassandra');
    const places = isFresh ? await checkFits(w) : undefined;
    if (o.dryRun) {
      emit({ type: 'plan', steps: planRestore(w) });
      return undefined;
    }
    await journal.save();
    const owner = { run: journal.run, host: hostname(), pid: process.pid };
    const lease = await repository.acquireLease('restore', owner, { backups: [backup] });
    // One that was interrupted keeps its lease: until it has ended the cluster is between two states.
    cleanup.add('lease', () => (journal.hasBegun && !journal.finished ? lease.leave() : lease.release()));
    // Looked at once more: from now on no prune takes what it needs.
    await repository.readManifest(backup);
    await stage(emit, 'verify', 'verifying the backup', () =>
      requireWhole(repository, backup, { level: o.verify ?? 'data', signal: o.signal }),
    );
    if (places) await notePlaces(journal, places);
    const { index, audits } = await restoreSteps(w);
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
    await endLog(log, o.emit);
  }
}

/** Two restores at once would each undo what the other does, by one journal. */
async function lockRestore(cluster: ClusterConfig, cleanup: Cleanup): Promise<void> {
  const lock = await takeLock(join(stateFolder(cluster), `restore-${cluster.name}`));
  if (!lock.release) {
    const who = lock.holder === undefined ? '' : ` (process ${lock.holder})`;
    throw new SkepError('locked', `a restore of ${cluster.name} is running${who}`, {
      hint: 'Wait for it, or stop it; then run the same `skep restore`: it goes on where that one stopped.',
      context: { pid: lock.holder },
    });
  }
  cleanup.add('lock', lock.release);
}

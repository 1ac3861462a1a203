import { setTimeout as sleep } from 'node:timers/promises';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { BACKUP_ID_PATTERN, incomingPrefix, leaseKey, revocationKey, stopKey, sweepKey } from '../format/names.ts';
import { revokeManifest, tryGet } from '../manifests.ts';
import { type LeaseInfo, STALE_MS } from './lease-file.ts';

/** How long a sweep on a storage without bins may take to notice that it is to stop. */
const STOP_MS = 60_000;
const LOOK_MS = 500;
/** A sweep's deletion gets its time no later than this after its last look at its lease. */
export const SEND_MS = 60_000;
/**
 * Nothing that a sweep sends is taken any more when its lease has been silent for so long: it may look at its lease until
 * that is stale, send within `SEND_MS`, and the storage refuses what reaches it a quarter of an hour later. With some to spare.
 */
const LATE_MS = STALE_MS + SEND_MS + 15 * 60_000 + 4 * 60_000;

/**
 * Takes a lease from an owner that is dead, or taken for dead, so that it does no harm if it comes back: what it might
 * still do is made impossible first, then the lease is removed. May be repeated. `locked` when that cannot be made so.
 * Forced, it is done also where a sweep on a storage without bins may still delete, or a writer of unknown backups publish.
 */
export async function takeAway(
  backend: Backend,
  lease: LeaseInfo,
  by: string,
  options: { force?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  await backend.put(revocationKey(lease.id), Buffer.from(`${JSON.stringify({ by, at: new Date() })}\n`));
  if (lease.readable && lease.kind === 'write') await fenceWriter(backend, lease, options.force === true);
  if (lease.kind === 'delete' || !lease.readable) await endSweep(backend, lease, by, options);
  await backend.delete(leaseKey(lease.id));
}

/** Ends the sweep of every delete lease, and empties what sweeps have left. Whoever writes does so before it begins. */
export async function endSweeps(
  backend: Backend,
  leases: readonly LeaseInfo[],
  by: string,
  options: { stopMs?: number } = {},
): Promise<void> {
  for (const lease of leases) {
    if (lease.kind === 'delete' || !lease.readable) await endSweep(backend, lease, by, options);
  }
  for (const id of (await backend.bins?.list()) ?? []) await backend.bins?.close(id);
}

/** The manifest is where a backup begins to exist, and it is created once: one that is taken cannot be published. */
async function fenceWriter(backend: Backend, lease: LeaseInfo, force: boolean): Promise<void> {
  const ids = lease.backups.filter((id) => BACKUP_ID_PATTERN.test(id));
  if (ids.length === 0 && !force) {
    const { host, pid } = lease.owner;
    const message = `the writer ${lease.owner.run} on ${host} (pid ${pid}) does not say what it may publish`;
    const hint = `Make sure that it has ended, then run \`skep unlock ${lease.id} --force\`.`;
    throw new SkepError('locked', message, { hint, context: { lease: lease.id, owner: lease.owner } });
  }
  for (const id of ids) await revokeManifest(backend, id);
  if (lease.owner.run !== 'unknown') await backend.deletePrefix(incomingPrefix(lease.owner.run));
}

/**
 * A sweep removes only after it has created its record. Who creates that first has ended the sweep before it began; of
 * one that has begun the bin is closed.
 */
async function endSweep(
  backend: Backend,
  { id, silentMs }: LeaseInfo,
  by: string,
  options: { force?: boolean; stopMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const record = Buffer.from(`${JSON.stringify({ state: 'stopped', by })}\n`);
  const before = (await backend.put(sweepKey(id), record)) === 'created';
  // It cannot begin any more; a bin that it had opened is empty.
  if (before) return backend.bins?.close(id);
  if ((await sweepState(backend, id)) !== 'sweeping') return;
  if (backend.bins !== undefined) return backend.bins.close(id);
  const isTooLate = backend.refusesOld !== undefined && silentMs > LATE_MS;
  if (options.force !== true && !isTooLate) await askToStop(backend, id, { ...options, silentMs });
}

/** A record that cannot be read may be that of a sweep. */
async function sweepState(backend: Backend, id: string): Promise<'stopped' | 'sweeping' | 'over'> {
  const bytes = await tryGet(backend, sweepKey(id));
  if (bytes === undefined) return 'over';
  return bytes.includes('"stopped"') ? 'stopped' : 'sweeping';
}

/** On a storage where nothing can keep a sweep from deleting, it must say itself that it has stopped. */
async function askToStop(
  backend: Backend,
  id: string,
  { silentMs, stopMs = STOP_MS, signal }: { silentMs: number; stopMs?: number; signal?: AbortSignal },
): Promise<void> {
  await backend.put(stopKey(id), Buffer.from('stop\n'));
  for (const end = performance.now() + stopMs; performance.now() < end; await sleep(LOOK_MS)) {
    throwIfCancelled(signal);
    const [record] = await backend.sizes([sweepKey(id)]);
    if (record === undefined) return;
  }
  const minutes = Math.ceil(Math.max(0, LATE_MS - silentMs) / 60_000);
  const wait =
    backend.refusesOld === undefined ? '' : `Wait ${minutes} min if it is dead, then run this again; or make`;
  const hint = `${wait || 'Make'} sure that no \`skep prune\` runs on any machine, then run \`skep unlock ${id} --force\`.`;
  throw new SkepError('locked', `the prune ${id} was told to stop and does not answer`, {
    hint,
    context: { lease: id },
  });
}

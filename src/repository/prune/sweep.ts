import type { Backend } from '../backend/backend.ts';
import { isBinClosed, type Bins } from '../backend/bins.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { SkepError } from '../../errors.ts';
import { stopKey, sweepKey } from '../format/names.ts';
import { type Clocks, readClocks, silence } from '../lease/clocks.ts';
import type { Lease } from '../lease/index.ts';
import { SEND_MS } from '../lease/take-away.ts';
import type { Vault } from '../sealing/keyring.ts';
import { blockers } from './blockers.ts';
import { findDoomed, type Doomed } from './doomed.ts';
import type { KeySet } from './key-set.ts';
import { hasMissed, mark } from './mark.ts';

const GROUP = 1000;

export interface SweepProgress {
  stage: 'mark' | 'take' | 'delete';
  done: number;
  total: number;
  /** Deleted so far. */
  bytes: number;
  bytesTotal: number;
}

export interface SweepOptions {
  signal?: AbortSignal;
  onProgress?: (progress: SweepProgress) => void;
  /** After which silence other owners are taken for dead. */
  judgeStaleMs?: number;
}

export interface Swept {
  /** False when another run ended the sweep, or must end before one can begin: what is left may be swept by a later one. */
  done: boolean;
  doomed?: Doomed;
  /** With `doomed`: what the backups need. */
  needed?: KeySet;
  backups: number;
  /** What was deleted. */
  objects: number;
  pieces: number;
  bytes: number;
}

/**
 * One sweep: marks what the backups need, moves the rest into a bin, marks once more, empties the bin. See the chapter on
 * leases of docs/repository-format.md for why nothing that any backup needs is deleted, whoever is paused where. `onUnsure`:
 * a deletion that failed may still be carried out, so the record of the sweep must stay.
 */
export async function sweep(vault: Vault, lease: Lease, options: SweepOptions, onUnsure: () => void): Promise<Swept> {
  const { backend } = vault;
  const swept: Swept = { done: false, backups: 0, objects: 0, pieces: 0, bytes: 0 };
  await backend.bins?.open(lease.id);
  try {
    // Writers that are not seen here begin later, see this lease, and end the sweep.
    if ((await blockers(backend, lease, new Set(), options.judgeStaleMs)).some(({ kind }) => kind === 'write'))
      return swept;
    const marked = await mark(vault, { ...options, onBackup: tellMark(options) });
    swept.backups = marked.backups.size;
    if ((await blockers(backend, lease, marked.backups, options.judgeStaleMs)).length > 0) return swept;
    const doomed = await findDoomed(backend, marked.needed, options);
    swept.doomed = doomed;
    swept.needed = marked.needed;
    if (doomed.keys.size > 0) {
      // With bins all is marked once more before anything is lost.
      if (backend.bins === undefined && (await hasMissed(vault, marked))) return swept;
      const record = { state: 'sweeping', keys: doomed.keys.size, bytes: doomed.keys.bytes };
      const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
      if ((await backend.put(sweepKey(lease.id), bytes)) === 'exists') return swept;
      swept.done =
        backend.bins === undefined
          ? await deleteKeys(backend, lease, doomed, swept, options, onUnsure)
          : await deleteByBin(vault, backend.bins, lease, doomed, swept, options);
    } else swept.done = true;
    return swept;
  } catch (error) {
    // A backup began, or this sweep was taken for dead.
    if (isBinClosed(error)) return swept;
    throw error;
  } finally {
    await backend.bins?.close(lease.id);
  }
}

async function deleteByBin(
  vault: Vault,
  bins: Bins,
  lease: Lease,
  doomed: Doomed,
  swept: Swept,
  options: SweepOptions,
): Promise<boolean> {
  const { size: total, bytes: bytesTotal } = doomed.keys;
  let taken = 0;
  for (const group of doomed.keys.groups(GROUP)) {
    throwIfCancelled(options.signal);
    await lease.assertHeld();
    taken += (await bins.take(lease.id, group)).length;
    options.onProgress?.({ stage: 'take', done: taken, total, bytes: 0, bytesTotal });
  }
  // Who puts a manifest in by hand takes no lease: a look at what is there now costs little, and nothing is lost yet.
  const again = await mark(vault, options);
  for (const group of doomed.keys.groups(GROUP)) if (group.some((key) => again.needed.has(key))) return false;
  await lease.assertHeld();
  await bins.empty(lease.id, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onDeleted: (key, bytes) => {
      count(swept, key, bytes);
      options.onProgress?.({ stage: 'delete', done: deleted(swept), total, bytes: swept.bytes, bytesTotal });
    },
  });
  return true;
}

/** Without bins: who wants the sweep to end says so, and waits until it has. */
async function deleteKeys(
  backend: Backend,
  lease: Lease,
  doomed: Doomed,
  swept: Swept,
  options: SweepOptions,
  onUnsure: () => void,
): Promise<boolean> {
  const { size: total, bytes: bytesTotal } = doomed.keys;
  for (const group of doomed.keys.groups(GROUP)) {
    throwIfCancelled(options.signal);
    const sizes = await backend.sizes(group);
    // From what was looked at last.
    const fence = fenceFrom(readClocks());
    await lease.assertHeld();
    if (await isToStop(backend, lease)) return false;
    await backend.deleteMany(group, fence).catch((error: unknown) => {
      onUnsure();
      throw error;
    });
    group.forEach((key, i) => sizes[i] !== undefined && count(swept, key, sizes[i]));
    options.onProgress?.({ stage: 'delete', done: deleted(swept), total, bytes: swept.bytes, bytesTotal });
  }
  return true;
}

async function isToStop(backend: Backend, lease: Lease): Promise<boolean> {
  return (await backend.sizes([stopKey(lease.id)]))[0] !== undefined;
}

/** Lets a request go only within a minute: see `LATE_MS` of leases. */
function fenceFrom(looked: Clocks): () => void {
  return () => {
    if (silence(looked) <= SEND_MS) return;
    throw new SkepError('locked', 'the prune was held up between its look at the leases and a deletion', {
      hint: 'Run `skep prune` again.',
    });
  };
}

function count(swept: Swept, key: string, bytes: number): void {
  swept[key.startsWith('objects/') ? 'objects' : 'pieces']++;
  swept.bytes += bytes;
}

function deleted({ objects, pieces }: Swept): number {
  return objects + pieces;
}

function tellMark(options: SweepOptions): (done: number, total: number) => void {
  return (done, total) => options.onProgress?.({ stage: 'mark', done, total, bytes: 0, bytesTotal: 0 });
}

import { createHash, hash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { type Form, renewalsOf } from '../damage/renewals.ts';
import { inventoryKey, type InventoryEntry } from '../format/inventory-entry.ts';
import type { ObjectTable } from '../format/object-table.ts';
import type { Vault } from '../sealing/keyring.ts';
import { entryId, type Findings, type Results } from './findings.ts';
import { chooser, settle, type Subset } from './subset.ts';
import type { VerifyOptions, VerifyProgress } from './report.ts';

const BATCH = 1024;
/** Up to this size an object is read in one call. */
const SMALL = 256 << 10;
const PARALLEL = 2;

/** Size of every object, and every byte of those that are chosen at level data. Returns what was looked at, and read. */
export async function checkObjects(
  vault: Vault,
  table: ObjectTable,
  results: Results,
  options: VerifyOptions,
): Promise<CheckedObjects> {
  const subset = options.subset && settle(options.subset, namesOf(table));
  const chooses = subset === undefined ? () => true : chooser(subset);
  const { objects, bytes, good } = await checkPresence(vault, table, results, chooses, options.signal);
  if (options.level !== 'data') return { objects, bytes, read: { objects: 0, bytes: 0 } };
  await checkData(vault, table, results, options, { chooses, ...good });
  return {
    objects,
    bytes,
    read: good,
    ...(subset === undefined ? {} : { subset: { part: subset.part, of: subset.of } }),
  };
}

interface CheckedObjects {
  objects: number;
  bytes: number;
  read: { objects: number; bytes: number };
  subset?: Subset;
}

function* namesOf(table: ObjectTable): Generator<string> {
  for (const { name } of table.sorted()) yield name;
}

/** Whether an object is one of those that are read. */
type Chooses = (name: string) => boolean;

async function checkPresence(
  vault: Vault,
  table: ObjectTable,
  { findings, earlier }: Results,
  chooses: Chooses,
  signal: AbortSignal | undefined,
): Promise<{ objects: number; bytes: number; good: { objects: number; bytes: number } }> {
  const seen = { objects: 0, bytes: 0, good: { objects: 0, bytes: 0 } };
  for (const batch of batches(table.sorted(), BATCH)) {
    throwIfCancelled(signal);
    const sizes = await vault.backend.sizes(batch.map(inventoryKey));
    for (const [i, entry] of batch.entries()) {
      seen.objects++;
      seen.bytes += entry.storedSize;
      const size = sizes[i];
      const isListed = size === entry.storedSize;
      if (size === undefined || (!isListed && !(await hasRenewal(vault, entry, (form) => form.storedSize === size)))) {
        addSizeFinding(findings, entry, size);
        continue;
      }
      earlier.sawStored(inventoryKey(entry), { size }, !isListed);
      if (!chooses(entry.name)) continue;
      seen.good.objects++;
      seen.good.bytes += entry.storedSize;
    }
  }
  return seen;
}

function addSizeFinding(findings: Findings, entry: InventoryEntry, size: number | undefined): void {
  const { name: object, storedSize, storedSha256: expected } = entry;
  const at = { key: inventoryKey(entry), object, expected };
  if (size === undefined) findings.add({ kind: 'object-missing', ...at, message: 'the object is not there' });
  else {
    const kind = size < storedSize ? 'object-truncated' : 'object-oversized';
    findings.add({ kind, ...at, message: `the object has ${size} bytes, not ${storedSize}` });
  }
}

async function checkData(
  vault: Vault,
  table: ObjectTable,
  results: Results,
  options: VerifyOptions,
  total: { chooses: Chooses; objects: number; bytes: number },
): Promise<void> {
  const progress: VerifyProgress = { objects: 0, objectsTotal: total.objects, bytes: 0, bytesTotal: total.bytes };
  const known = results.findings.ofEntries();
  const entries = table.sorted();
  async function work(): Promise<void> {
    // A generator is shared by the workers: each takes the next object.
    for (let next = entries.next(); next.done !== true; next = entries.next()) {
      throwIfCancelled(options.signal);
      if (known.has(entryId(next.value)) || !total.chooses(next.value.name)) continue;
      await checkBytes(vault, next.value, results, (bytes) => {
        progress.bytes += bytes;
        options.onProgress?.({ ...progress });
      });
      progress.objects++;
      options.onProgress?.({ ...progress });
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

async function checkBytes(
  vault: Vault,
  entry: InventoryEntry,
  { findings, earlier }: Results,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const key = inventoryKey(entry);
  const { name: object, storedSize, storedSha256: expected } = entry;
  const at = { key, object, expected };
  try {
    const found = await hashOf(vault.backend, key, storedSize, onBytes);
    const isListed = found === expected;
    if (isListed || (await hasRenewal(vault, entry, (form) => form.storedSha256 === found))) {
      if (entry.encoding === 'raw') earlier.sawContent(key);
      else earlier.sawStored(key, { sha256: found }, !isListed);
      return;
    }
    findings.add({ kind: 'hash-mismatch', ...at, message: `the stored bytes have the hash ${found}` });
  } catch (error) {
    if (error instanceof SkepError && error.code === 'cancelled') throw error;
    const missing = error instanceof SkepError && error.code === 'object-missing';
    const message = error instanceof Error ? error.message : String(error);
    findings.add({ kind: missing ? 'object-missing' : 'object-unreadable', ...at, message });
  }
}

/** Whether the entry's key was stored anew, after damage, in bytes like these. */
export async function hasRenewal(vault: Vault, entry: InventoryEntry, like: (form: Form) => boolean): Promise<boolean> {
  // Raw bytes are always the same.
  return entry.encoding !== 'raw' && (await renewalsOf(vault, inventoryKey(entry))).some(like);
}

export async function hashOf(
  backend: Backend,
  key: string,
  size: number,
  onBytes: (n: number) => void,
): Promise<string> {
  if (size <= SMALL) {
    const bytes = await backend.get(key);
    onBytes(bytes.length);
    return hash('sha256', bytes);
  }
  const digest = createHash('sha256');
  for await (const chunk of await backend.read(key)) {
    digest.update(chunk as Buffer);
    onBytes((chunk as Buffer).length);
  }
  return digest.digest('hex');
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    if (batch.push(item) < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Whether a key holds bytes in which it was stored anew. */
export async function holdsRenewal(vault: Vault, key: string, signal?: AbortSignal): Promise<boolean> {
  const forms = await renewalsOf(vault, key);
  const [size] = await vault.backend.sizes([key]);
  if (size === undefined || !forms.some((form) => form.storedSize === size)) return false;
  const sha256 = await hashOf(vault.backend, key, size, () => throwIfCancelled(signal));
  return forms.some((form) => form.storedSha256 === sha256);
}

import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { decodeManifest } from './format/manifest-codec.ts';
import type { Manifest } from './format/manifest.ts';
import { BACKUP_ID_PATTERN, manifestCopyKey, manifestKey } from './format/names.ts';
import type { BackupSummary } from './types.ts';

/** Ids of all that has a manifest or its copy, newest first. */
export async function listBackupIds(backend: Backend): Promise<string[]> {
  const ids = new Set<string>();
  for await (const { key } of backend.list('backups/')) {
    const id = /^backups\/([^/]+)\/manifest(?:\.copy)?\.json$/.exec(key)?.[1];
    if (id !== undefined && BACKUP_ID_PATTERN.test(id)) ids.add(id);
  }
  return [...ids].sort().reverse();
}

/** Errors: `backup-unknown`, `manifest-damaged` with `context.finding`. */
export async function readManifest(backend: Backend, id: string): Promise<Manifest> {
  if (!BACKUP_ID_PATTERN.test(id)) throw new SkepError('backup-unknown', `${id} is not the id of a backup`);
  const [bytes, copy] = await Promise.all([tryGet(backend, manifestKey(id)), tryGet(backend, manifestCopyKey(id))]);
  if (bytes !== undefined && bytes.length > 0) {
    try {
      return decodeManifest(bytes, id);
    } catch (error) {
      throw withCopyHint(error, id, copy);
    }
  }
  if (bytes === undefined && copy === undefined) throw new SkepError('backup-unknown', `there is no backup ${id}`);
  const finding = bytes === undefined ? 'manifest-missing' : 'manifest-torn';
  const why = bytes === undefined ? 'is missing' : 'is empty';
  const error = new SkepError('manifest-damaged', `the manifest of ${id} ${why}`, { context: { backup: id, finding } });
  throw withCopyHint(error, id, copy);
}

/** Newest first; damaged ones are reported, never hidden. */
export async function listBackups(backend: Backend): Promise<BackupSummary[]> {
  const summaries: BackupSummary[] = [];
  for (const id of await listBackupIds(backend)) {
    try {
      const { details: _, ...manifest } = await readManifest(backend, id);
      summaries.push({ id, state: 'complete', manifest });
    } catch (error) {
      // A backup that was forgotten between listing and reading is not damage.
      if (!(error instanceof SkepError) || !['manifest-damaged', 'backup-unknown'].includes(error.code)) throw error;
      if (error.code === 'manifest-damaged') summaries.push(damagedSummary(id, error));
    }
  }
  return summaries;
}

function damagedSummary(id: string, error: SkepError): BackupSummary {
  return { id, state: 'damaged', finding: manifestFinding(error), message: error.message };
}

/** Which kind of damage an error of `readManifest` tells. */
export function manifestFinding(error: SkepError): 'manifest-missing' | 'manifest-torn' | 'manifest-unsupported' {
  const { finding } = error.context;
  return finding === 'manifest-missing' || finding === 'manifest-unsupported' ? finding : 'manifest-torn';
}

export async function tryGet(backend: Backend, key: string): Promise<Buffer | undefined> {
  try {
    return await backend.get(key);
  } catch (error) {
    if (error instanceof SkepError && error.code === 'object-missing') return undefined;
    throw error;
  }
}

function withCopyHint(error: unknown, id: string, copy: Buffer | undefined): unknown {
  if (!(error instanceof SkepError) || copy === undefined) return error;
  try {
    decodeManifest(copy, id);
  } catch {
    return error;
  }
  const hint = `Its copy is whole: in the repository run \`cp -f ${manifestCopyKey(id)} ${manifestKey(id)}\`.`;
  return new SkepError(error.code, error.message, { hint, context: error.context, cause: error.cause });
}

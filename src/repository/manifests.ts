import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { decodeManifest, type Mac } from './format/manifest-codec.ts';
import type { Manifest } from './format/manifest.ts';
import { BACKUP_ID_PATTERN, manifestCopyKey, manifestKey, publishedKey } from './format/names.ts';
import { encodePublished } from './format/published.ts';
import type { Vault } from './sealing/keyring.ts';
import type { BackupSummary, ManifestFinding, PlainManifest } from './types.ts';

const MANIFEST_FINDINGS = ['manifest-missing', 'manifest-torn', 'manifest-unsupported', 'manifest-forged'] as const;

/** In the place of a manifest: there is no such backup, and there will be none. */
const REVOKED = Buffer.from('revoked\n');

/** Ids of all that has a manifest or its copy, or has had one and was not forgotten; newest first. */
export async function listBackupIds(backend: Backend): Promise<string[]> {
  const ids = await publishedIds(backend);
  for await (const { key, size } of backend.list('backups/')) {
    const id = /^backups\/([^/]+)\/manifest(?:\.copy)?\.json$/.exec(key)?.[1];
    if (id === undefined || !BACKUP_ID_PATTERN.test(id)) continue;
    if (size === REVOKED.length && isRevoked(await tryGet(backend, key))) continue;
    ids.add(id);
  }
  return [...ids].sort().reverse();
}

/** To be called when the manifest is there. May be repeated. */
export async function notePublished({ backend, keyring }: Vault, id: string): Promise<void> {
  await backend.put(publishedKey(id), encodePublished(new Date().toISOString(), keyring.generation));
}

/** Ids of the backups of which it is noted that they were published. */
export async function publishedIds(backend: Backend): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const name of (await backend.names(publishedKey(''))).keys()) if (BACKUP_ID_PATTERN.test(name)) ids.add(name);
  return ids;
}

/** Takes the place of the manifest of a run that is taken for dead: it cannot publish any more. May be repeated. */
export async function revokeManifest(backend: Backend, id: string): Promise<void> {
  await backend.put(manifestKey(id), REVOKED);
}

export function isRevoked(bytes: Buffer | undefined): boolean {
  return bytes !== undefined && bytes.equals(REVOKED);
}

/** Errors: `backup-unknown`; `manifest-damaged` and `manifest-unsupported`, with `context.finding`. */
export async function readManifest({ backend, keyring }: Vault, id: string): Promise<Manifest> {
  if (!BACKUP_ID_PATTERN.test(id)) throw new SkepError('backup-unknown', `${id} is not the id of a backup`);
  const [bytes, copy] = await Promise.all([
    getOrEmpty(backend, manifestKey(id)),
    getOrEmpty(backend, manifestCopyKey(id)),
  ]);
  if (isRevoked(bytes) && copy === undefined)
    throw new SkepError('backup-unknown', `the run ${id} was ended by another`);
  const mac = keyring.namingKey ? (text: string) => keyring.mac(text) : undefined;
  if (bytes !== undefined && bytes.length > 0) {
    try {
      return decodeManifest(bytes, id, mac);
    } catch (error) {
      throw withCopyHint(error, id, copy, mac);
    }
  }
  if (bytes === undefined && copy === undefined) return readLost({ backend, keyring }, id);
  const finding = bytes === undefined ? 'manifest-missing' : 'manifest-torn';
  const why = bytes === undefined ? 'is missing' : 'is empty';
  const error = new SkepError('manifest-damaged', `the manifest of ${id} ${why}`, { context: { backup: id, finding } });
  throw withCopyHint(error, id, copy, mac);
}

/** Of a backup that has neither manifest nor copy: it was never published, or forgotten, or lost. */
async function readLost(vault: Vault, id: string): Promise<Manifest> {
  const { backend } = vault;
  const [noted] = await backend.sizes([publishedKey(id)]);
  if (noted === undefined) throw new SkepError('backup-unknown', `there is no backup ${id}`);
  // It may have been published just now.
  const [manifest] = await backend.sizes([manifestKey(id)]);
  if (manifest !== undefined) return readManifest(vault, id);
  throw new SkepError('manifest-damaged', `backup ${id} was published and not forgotten, but its manifest is gone`, {
    hint: `Put ${manifestKey(id)} back from a copy of the repository; if there is none, \`skep forget ${id}\`.`,
    context: { backup: id, finding: 'manifest-missing' },
  });
}

/** Newest first; damaged ones are reported, never hidden. */
export async function listBackups(vault: Vault): Promise<BackupSummary[]> {
  const summaries: BackupSummary[] = [];
  for (const id of await listBackupIds(vault.backend)) {
    try {
      summaries.push({ id, state: 'complete', manifest: plainPart(await readManifest(vault, id)) });
    } catch (error) {
      // A backup that was forgotten between listing and reading is not damage.
      if (isUnreadable(error)) summaries.push(damagedSummary(id, error));
      else if (!(error instanceof SkepError) || error.code !== 'backup-unknown') throw error;
    }
  }
  return summaries;
}

function damagedSummary(id: string, error: SkepError): BackupSummary {
  return { id, state: 'damaged', finding: manifestFinding(error), message: error.message };
}

/** What can be read of a manifest without a key. */
export function plainPart(manifest: Manifest): PlainManifest {
  const { details: _details, sealed: _sealed, mac: _mac, ...plain } = manifest;
  return plain;
}

/** Whether an error of `readManifest` tells of a backup that is there and of which nothing can be known. */
export function isUnreadable(error: unknown): error is SkepError {
  return error instanceof SkepError && ['manifest-damaged', 'manifest-unsupported'].includes(error.code);
}

const NOTHING_BELOW: ReadonlySet<string> = new Set(['backup-unknown', 'object-missing', 'object-damaged']);

/** Whether an error of reading a backup's manifest, or an inventory below it, leaves nothing to be known of what that backup expects. */
export function tellsNothing(error: unknown): error is SkepError {
  return isUnreadable(error) || (error instanceof SkepError && NOTHING_BELOW.has(error.code));
}

/** What an error of `readManifest` tells. */
export function manifestFinding(error: SkepError): ManifestFinding {
  return MANIFEST_FINDINGS.find((kind) => kind === error.context['finding']) ?? 'manifest-torn';
}

/** No bytes where there is something that is no file. */
export async function getOrEmpty(backend: Backend, key: string): Promise<Buffer | undefined> {
  try {
    return await tryGet(backend, key);
  } catch (error) {
    if (error instanceof SkepError && error.code === 'object-damaged') return Buffer.alloc(0);
    throw error;
  }
}

export async function tryGet(backend: Backend, key: string): Promise<Buffer | undefined> {
  try {
    return await backend.get(key);
  } catch (error) {
    if (error instanceof SkepError && error.code === 'object-missing') return undefined;
    throw error;
  }
}

function withCopyHint(error: unknown, id: string, copy: Buffer | undefined, mac: Mac | undefined): unknown {
  if (!(error instanceof SkepError) || copy === undefined) return error;
  try {
    decodeManifest(copy, id, mac);
  } catch {
    return error;
  }
  const hint = `Its copy is whole: in the repository run \`cp -f ${manifestCopyKey(id)} ${manifestKey(id)}\`.`;
  return new SkepError(error.code, error.message, { hint, context: error.context, cause: error.cause });
}

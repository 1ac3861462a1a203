/** The repository: where backups live. See docs/repository-format.md. */
import { isAbsolute, normalize } from 'node:path';
import { SkepError } from '../errors.ts';
import { PathBackend } from './backend/path/path-backend.ts';
import { initOnBackend, openOnBackend } from './repository.ts';
import type { Repository } from './types.ts';

export type {
  BackupSummary,
  Encoding,
  ListingRef,
  ObjectWriter,
  ObjectWriterOptions,
  PutFileOptions,
  Repository,
  StoredObject,
  WriterTotals,
} from './types.ts';
export type { FileEntry, LinkEntry, ListingEntry } from './format/listing-entry.ts';
export type { Manifest, ManifestDraft, ManifestPart } from './format/manifest.ts';
export type { Finding, FindingHit, FindingKind, VerifyLevel, VerifyOptions, VerifyReport } from './verify/report.ts';
export type { FileIdentity, HintCache, HintedObject } from './hint-cache.ts';
export type { Lease, LeaseInfo, LeaseKind } from './lease.ts';
export type { RunLog } from './run-log.ts';
export { isHalfWritten } from './content/object-reader.ts';
export { compareBytewise } from './format/order.ts';
export { fileEntry } from './format/listing-entry.ts';
export { newBackupId } from './format/names.ts';
export { openHintCache } from './hint-cache.ts';

/**
 * Makes a repository at an absolute path; the folder is made when it is not there. Errors: `repository-exists`,
 * `repository-unfit` (the storage does not keep what is relied on), `no-space`, `repository-failed`.
 */
export async function initRepository(
  location: string,
  cluster: { clusterName: string; clusterId: string },
): Promise<Repository> {
  return initOnBackend(new PathBackend(absolute(location)), cluster);
}

/** Errors: `repository-missing`, `repository-unsupported`, `repository-damaged`. */
export async function openRepository(location: string): Promise<Repository> {
  return openOnBackend(new PathBackend(absolute(location)));
}

function absolute(location: string): string {
  if (!isAbsolute(location)) throw new SkepError('config-invalid', `repository ${location} is not an absolute path`);
  return normalize(location);
}

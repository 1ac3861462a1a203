/** The repository: where backups live. See docs/repository-format.md. */
import { SkepError } from '../errors.ts';
import type { HintCache } from './hint-cache.ts';
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
export type { FileIdentity, HintCache } from './hint-cache.ts';
export type { Lease, LeaseInfo, LeaseKind } from './lease.ts';
export type { RunLog } from './run-log.ts';
export { newBackupId } from './format/names.ts';

/**
 * Makes a repository at an absolute path. Errors: `repository-exists`, `repository-unfit` (the storage does not keep
 * what is relied on), `no-space`, `repository-failed`.
 */
export function initRepository(
  location: string,
  _cluster: { clusterName: string; clusterId: string },
): Promise<Repository> {
  throw new SkepError('repository-failed', `cannot make ${location}`);
}

/** Errors: `repository-missing`, `repository-unsupported`, `repository-damaged`. */
export function openRepository(location: string): Promise<Repository> {
  throw new SkepError('repository-missing', `no repository at ${location}`);
}

/** Opens a cache file of a node; an absent, foreign or damaged file gives an empty cache. */
export function openHintCache(file: string, _repositoryId: string): Promise<HintCache> {
  throw new SkepError('repository-failed', `cannot open ${file}`);
}

/** The repository: where backups live. See docs/repository-format.md. */
import { isAbsolute, normalize } from 'node:path';
import { SkepError } from '../errors.ts';
import type { RepositoryAccess } from './access.ts';
import type { Backend } from './backend/backend.ts';
import { PathBackend } from './backend/path/path-backend.ts';
import { refuseFile, refuseNested } from './backend/path/place.ts';
import { honourSharedFolder } from './backend/path/shared-folder.ts';
import { probeBackend } from './backend/probe.ts';
import { RelayBackend } from './backend/relay/relay-backend.ts';
import { RelayServer } from './backend/relay/relay-server.ts';
import { relay } from './backend/relay/relay.ts';
import { isS3Location } from '../s3/location.ts';
import { initOnBackend, openOnBackend } from './repository.ts';
import type { GivenKeys } from './sealing/open-keyring.ts';
import type { Repository } from './types.ts';

export type {
  BackupSummary,
  Compression,
  KeyGeneration,
  ListingChange,
  ListingRef,
  PlainManifest,
  ObjectWriter,
  ObjectWriterOptions,
  PutFileOptions,
  Repository,
  StoredGroup,
  StoredObject,
  WriterTotals,
} from './types.ts';
export { type RepositoryAccess, repositoryAccess } from './access.ts';
export type { CopiedBackup, CopyReport } from './copy/job.ts';
export type { FileEntry, LinkEntry, ListingEntry } from './format/listing-entry.ts';
export type { Manifest, ManifestDetails, ManifestDraft, ManifestPart } from './format/manifest.ts';
export type { FolderMarks } from './folder-marks.ts';
export { parseSubset, type Subset } from './verify/subset.ts';
export type { Finding, FindingHit, FindingKind, VerifyLevel, VerifyOptions, VerifyReport } from './verify/report.ts';
export type { FileIdentity, HintCache, HintedObject } from './hint-cache.ts';
export type { ClearedRuns, Lease, LeaseInfo, LeaseKind, LeaseOwner, ShownLease } from './lease/index.ts';
export type { PruneOptions, PruneReport } from './prune/prune.ts';
export type { ForgetOptions, ForgetReport, ForgetRow } from './retention/forget.ts';
export type { RetentionRules } from './retention/rules.ts';
export type { RunLog } from './run-log.ts';
export { Pace } from './content/pace.ts';
export { useFileThreads } from './content/threads/file-threads.ts';
export { destinationError } from './content/destination-error.ts';
export { sourceError } from './content/source-file.ts';
export { isHalfWritten } from './content/extract-object.ts';
export { compareBytewise } from './format/order.ts';
export { contentHash, encodingOf, fileEntry } from './format/listing-entry.ts';
export { type Encoding, newBackupId } from './format/names.ts';
export { areNested } from './backend/path/place.ts';
export { setRelay } from './backend/relay/relay.ts';
export type { RelayServer } from './backend/relay/relay-server.ts';
export { openHintCache } from './hint-cache.ts';

/**
 * Makes a repository; a folder is made when it is not there. A text alone is an absolute path. Errors: `repository-exists`,
 * `usage` (in another repository, or around one), `config-invalid` (a file is in the way),
 * `repository-unfit` (the storage does not keep what is relied on), `no-space`, `repository-failed`.
 */
export async function initRepository(
  access: RepositoryAccess | string,
  cluster: { clusterName: string; clusterId: string },
): Promise<Repository> {
  const backend = await openBackend(access);
  if (backend instanceof PathBackend) refuseNested(backend.location);
  return initOnBackend(backend, cluster, keysOf(access));
}

/** Errors: `repository-missing`, `repository-unsupported`, `repository-damaged`. */
export async function openRepository(access: RepositoryAccess | string): Promise<Repository> {
  return openOnBackend(await openBackend(access), keysOf(access));
}

function keysOf(access: RepositoryAccess | string): GivenKeys {
  return typeof access === 'string' ? {} : access;
}

/**
 * Whether what this machine has of the storage will do: opens the repository, and tries in a place of its own what a
 * backup relies on. Gives the repository's id. Errors: those of `openRepository`, `repository-unfit`.
 */
export async function probeRepository(access: RepositoryAccess): Promise<string> {
  const backend = await openBackend(access);
  const { id } = await openOnBackend(backend);
  await probeBackend(backend);
  return id;
}

/** Answers one node that does not reach the repository. Errors: those of the storage. */
export async function serveRelay(access: RepositoryAccess): Promise<RelayServer> {
  return new RelayServer(await openBackend(access));
}

async function openBackend(access: RepositoryAccess | string): Promise<Backend> {
  const { location, s3, relayed }: RepositoryAccess = typeof access === 'string' ? { location: access } : access;
  if (relayed === true) return RelayBackend.open(relay());
  if (isS3Location(location)) {
    if (s3 === undefined) throw new SkepError('config-invalid', `how ${location} is reached is not known`);
    // The SDK takes half a second to load: only who needs it waits for it.
    const { S3Backend } = await import('./backend/s3/s3-backend.ts');
    return new S3Backend(location, s3);
  }
  if (!isAbsolute(location)) throw new SkepError('config-invalid', `repository ${location} is not an absolute path`);
  refuseFile(normalize(location));
  honourSharedFolder(location);
  return new PathBackend(normalize(location));
}

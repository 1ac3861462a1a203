import { hostname } from 'node:os';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import {
  type BackupSummary,
  newBackupId,
  type PlainManifest,
  type Subset,
  type VerifyLevel,
  type VerifyReport,
} from '../repository/index.ts';
import { type ReadKeys, readAccessTo } from './access-to.ts';
import { type Cut, type Details, parseDetails } from './details.ts';
import { openOwnRepository } from './open-repository.ts';

/** Every backup of the cluster's repository, newest first; damaged ones are told, not hidden. */
export async function list(cluster: ClusterConfig): Promise<BackupSummary[]> {
  return (await openOwnRepository(cluster)).list();
}

/** One backup in full, without the rows of the schema. */
export interface ShownBackup extends PlainManifest {
  /** Absent when the repository is sealed and no identity was given. */
  details?: ShownDetails;
}

export interface ShownDetails {
  skep: string;
  cut: Cut;
  topology: Details['topology'];
  search: {
    version: string;
    indices: { name: string; docs: number }[];
    snapshot: string;
    startedMs: number;
    endedMs: number;
  };
  files: Details['files'];
}

/**
 * What one backup holds, and the evidence for its cut where the repository is not sealed or can be opened.
 * Errors: `backup-unknown`, `manifest-damaged`, `manifest-unsupported`, `key-wrong`.
 */
export async function show(cluster: ClusterConfig, id: string, keys?: ReadKeys): Promise<ShownBackup> {
  const repository = await openOwnRepository(cluster, await readAccessTo(cluster, keys));
  const whole = await repository.readManifest(await resolveId(cluster, id));
  const { details: _details, sealed: _sealed, mac: _mac, ...manifest } = whole;
  if (!repository.opens) return manifest;
  return { ...manifest, details: shownDetails(parseDetails(await repository.readDetails(whole), manifest.id)) };
}

function shownDetails(details: Details): ShownDetails {
  const { version, indices, audits, snapshot, startedMs, endedMs } = details.search;
  return {
    skep: details.skep,
    cut: details.cut,
    topology: details.topology,
    search: {
      version,
      indices: [...indices, ...audits].map((i) => ({ name: i.name, docs: i.docs })),
      snapshot,
      startedMs,
      endedMs,
    },
    files: details.files,
  };
}

/** Checks what is stored of one backup, or of all; with `keys` also what is sealed in the listings. Findings are in the report; the caller decides about its exit code. */
export async function verify(
  cluster: ClusterConfig,
  opts: { id?: string; level: VerifyLevel; subset?: Subset; keys?: ReadKeys; signal: AbortSignal; emit: Emit },
): Promise<VerifyReport> {
  const access = opts.keys && (await readAccessTo(cluster, opts.keys));
  const repository = await openOwnRepository(cluster, access);
  return repository.verify({
    level: opts.level,
    owner: { run: newBackupId(), host: hostname(), pid: process.pid },
    ...(opts.subset ? { subset: opts.subset } : {}),
    ...(opts.id === undefined ? {} : { ids: [await resolveId(cluster, opts.id)] }),
    checkDetails: (details, id) => void parseDetails(details, id),
    signal: opts.signal,
    onProgress: (p) =>
      opts.emit({
        type: 'progress',
        node: 'repository',
        store: 'objects',
        stage: opts.level,
        files: p.objects,
        totalFiles: p.objectsTotal,
        bytes: p.bytes,
        totalBytes: p.bytesTotal,
      }),
  });
}

/** `latest`, a whole id, or the beginning of exactly one. Errors: `backup-unknown`. */
export async function resolveId(cluster: ClusterConfig, text: string): Promise<string> {
  // Every id begins with it: a script whose variable is empty means none of them.
  if (text === '') throw new SkepError('backup-unknown', 'the id of the backup is empty');
  if (text === 'latest') {
    const newest = (await list(cluster)).find((b) => b.state === 'complete');
    if (newest) return newest.id;
    throw new SkepError('backup-unknown', 'the repository has no complete backup');
  }
  const all = await (await openOwnRepository(cluster)).manifests();
  const found = all.filter((b) => b.id.startsWith(text));
  if (found.length === 1) return (found[0] as BackupSummary).id;
  const why = found.length === 0 ? `no backup is called ${text}` : `${found.length} backups begin with ${text}`;
  throw new SkepError('backup-unknown', why, { context: { id: text } });
}

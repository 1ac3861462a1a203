import type { SkepError } from '../../errors.ts';
import type { Descriptor } from '../format/descriptor.ts';
import type { ManifestDetails } from '../format/manifest.ts';
import type { ClearedRuns, Lease, LeaseOwner } from '../lease/index.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { KnownForms } from '../known-forms.ts';
import type { CopyTotals } from './stored-copier.ts';

/** A repository as a copy sees it. */
export interface CopyEnd {
  vault: Vault;
  descriptor: Descriptor;
}

export interface CopyOptions {
  /** Of the leases; its run names the staging place. */
  owner: LeaseOwner;
  /** Else the `last` newest ones that are whole, else all. */
  ids?: readonly string[];
  last?: number;
  dryRun?: boolean;
  /** Of object lock in the target, as of `Repository.publish`. */
  lockMs?: number;
  /** Reads host ids in the details of a backup: a target that is sealed to others tells hosts in its own way. */
  hostIdsOf?: (details: ManifestDetails, id: string) => string[];
  signal?: AbortSignal;
  /** Told of each backup that begins, and of bytes that were looked at or copied since the last call. */
  onBackup?: (id: string, done: number, total: number) => void;
  onBytes?: (bytes: number) => void;
  /** Told of each backup that is damaged and therefore not copied. */
  onLeftOut?: (id: string, why: SkepError) => void;
  /** Told once where the source is read without a lease, so that a prune there may take away what is being copied. */
  onUnheld?: (why: SkepError) => void;
  /** Told of what killed runs had left in the target. */
  onCleared?: (cleared: ClearedRuns) => void;
}

export interface CopiedBackup extends CopyTotals {
  /** Its id in the source, and in the target. */
  from: string;
  id: string;
}

export interface CopyReport {
  copied: CopiedBackup[];
  /** Ids in the source of what the target had. */
  there: string[];
  /** Only of a dry run: what would be copied. */
  planned: string[];
  /** Whether contents were opened and stored anew, for other keys. */
  resealed: boolean;
  /** Whether the target's keys were (in a dry run: would be) rotated as those of the source had been. */
  rotated: boolean;
}

/** One copy of several backups. */
export interface CopyJob {
  source: CopyEnd;
  target: CopyEnd;
  lease: Lease;
  /** In which bytes the target's backups expect what they need; of no use where contents are stored anew. */
  known: KnownForms;
  options: CopyOptions;
}

/** What a publish in the target is told. */
export function publishing({ lease, options }: Pick<CopyJob, 'lease' | 'options'>) {
  const { signal, lockMs } = options;
  return { lease, ...(signal === undefined ? {} : { signal }), ...(lockMs === undefined ? {} : { lockMs }) };
}

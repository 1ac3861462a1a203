import type { LeaseOwner } from '../lease/index.ts';
import type { ManifestDetails } from '../format/manifest.ts';
import type { Subset } from './subset.ts';

/** structure: manifests, listings, inventories; presence: and every object's size; data: and every stored byte. */
export type VerifyLevel = 'structure' | 'presence' | 'data';

export type FindingKind =
  | 'keys-missing'
  | 'keys-damaged'
  | 'manifest-missing'
  | 'manifest-torn'
  | 'manifest-unsupported'
  | 'manifest-forged'
  | 'manifest-copy-missing'
  | 'manifest-copy-damaged'
  | 'companion-missing'
  | 'companion-damaged'
  | 'listing-missing'
  | 'listing-damaged'
  | 'inventory-missing'
  | 'inventory-damaged'
  | 'object-missing'
  | 'object-truncated'
  | 'object-oversized'
  | 'object-unreadable'
  | 'hash-mismatch';

/** Where a damaged object or piece is needed. */
export interface FindingHit {
  backup: string;
  node: string;
  store: string;
  /** At most the first 100; none when a piece of the listing is damaged. */
  paths: string[];
  /** How many paths there are in all. */
  pathCount: number;
}

export interface Finding {
  kind: FindingKind;
  /** Key in the repository of what is damaged, e.g. `objects/ab/abcd…`. */
  key: string;
  /** Name of the object or piece; absent for manifests and keys. */
  object?: string;
  /** The SHA-256 that the stored bytes should have: backups that expect others are not hit. */
  expected?: string;
  /** What was seen, for people. */
  message: string;
  /** What mends it: from the cluster, from a copy, or nothing. */
  hint: string;
  /** Ids of the backups that this hits, newest first. */
  backups: string[];
  hits: FindingHit[];
}

export interface VerifyProgress {
  objects: number;
  objectsTotal: number;
  bytes: number;
  bytesTotal: number;
}

export interface VerifyOptions {
  level: VerifyLevel;
  /** All backups when absent; an unknown id is `backup-unknown`. */
  ids?: string[];
  /** At level data: only these objects are read; everything else is as without it. */
  subset?: Subset;
  /** Whose lease keeps what is read from a prune and a forget; none is taken when absent. */
  owner?: LeaseOwner;
  /** Throws `manifest-damaged` for details that are not the engine's; asked where they can be read. */
  checkDetails?: (details: ManifestDetails, id: string) => void;
  signal?: AbortSignal;
  onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyReport {
  level: VerifyLevel;
  /** True when there is no finding. */
  ok: boolean;
  /** The repository is sealed and no identity was given: listings were checked as they are stored, not read. */
  closed: boolean;
  backups: string[];
  objects: number;
  bytes: number;
  /** At level data: objects of which every stored byte was read, and these bytes. */
  read: { objects: number; bytes: number };
  /** Which part of the objects that was, where it was not to be all. */
  subset?: { part: number; of: number };
  findings: Finding[];
  /** Notes of earlier damage that were taken back, since what they told of is right again. */
  takenBack: number;
  /** What kept this verify from doing more than looking. */
  notes: string[];
}

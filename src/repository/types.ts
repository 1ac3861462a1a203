import type { Pace } from './content/pace.ts';
import type { Readable } from 'node:stream';
import type { CopyOptions, CopyReport } from './copy/job.ts';
import type { Manifest, ManifestDetails, ManifestDraft } from './format/manifest.ts';
import type { FileEntry, ListingEntry } from './format/listing-entry.ts';
import type { Encoding } from './format/names.ts';
import type { TreeKind } from './format/piece.ts';
import type { FolderMarks } from './folder-marks.ts';
import type { HintCache } from './hint-cache.ts';
import type { ClearedRuns, Lease, ShownLease, UnlockOptions } from './lease/index.ts';
import type { Ballast } from './prune/ballast.ts';
import type { ForgetOptions, ForgetReport } from './retention/forget.ts';
import type { PruneOptions, PruneReport } from './prune/prune.ts';
import type { RunLog } from './run-log.ts';
import type { VerifyOptions, VerifyReport } from './verify/report.ts';

/** How the bytes of an object or piece are stored. */
export interface StoredForm {
  encoding: Encoding;
  storedSize: number;
  /** SHA-256 of the stored bytes; equals that of the content when raw. */
  storedSha256: string;
}

/** A content that the repository holds (or will hold after `flush`). */
export interface StoredObject extends StoredForm {
  /** SHA-256 of the plain content, 64 hex digits; in a sealed repository a keyed hash of it. */
  name: string;
  /** SHA-256 of the plain content. */
  sha256: string;
  /** Plain size in bytes. */
  size: number;
  /** True when this call brought the bytes; false when they were there. */
  isNew: boolean;
}

/** A piece of a tree that the repository holds (or will hold after `flush`). */
export interface StoredPiece extends StoredForm {
  name: string;
  encoding: 'zstd' | 'zstd+age';
}

/** `auto`: zstd where a sample shrinks markedly. `max`: where it shrinks at all, and as far as zstd can. */
export type Compression = 'off' | 'auto' | 'max';

export interface PutFileOptions {
  /** The content must have this SHA-256, else `object-damaged` and nothing is kept. */
  expectSha256?: string;
  /** Reads the file whatever the hints say: one that is written through a memory map changes without a new time. */
  reread?: boolean;
  signal?: AbortSignal;
  /** Called with the number of bytes read since the last call. */
  onBytes?: (bytes: number) => void;
}

export interface PutStreamOptions extends Omit<PutFileOptions, 'reread'> {
  path: string;
  /** What it seems to have, in bytes; unknown when absent. */
  size?: number;
}

export interface ObjectWriterOptions {
  /** The run's id (`newBackupId`); the staging folder is `incoming/<run>/<writer>`. */
  run: string;
  /** Unique among the writers of this run, e.g. `node1-cassandra`; `[A-Za-z0-9._-]+`. */
  writer: string;
  /** When given, `putFile` asks it first and tells it what was read. */
  hints?: HintCache;
  /** `off` when absent. */
  compression?: Compression;
  /** As fast as it goes when absent. */
  pace?: Pace;
}

export interface WriterTotals {
  objects: number;
  bytes: number;
  newObjects: number;
  /** Stored bytes that this writer brought. */
  newBytes: number;
}

/** Brings contents into the repository. Calls may overlap; several writers may run on several machines. */
export interface ObjectWriter {
  readonly totals: WriterTotals;
  /**
   * Stores what can be read from `path`, reading it once. Durable only after `flush`.
   * Errors: `file-missing`, `file-unreadable`, `object-damaged`, `no-space`, `repository-failed`, `cancelled`.
   */
  putFile(path: string, options?: PutFileOptions): Promise<StoredObject>;
  putBytes(bytes: Uint8Array): Promise<StoredObject>;
  /**
   * Stores what can be read from a stream, sealed and staged as it comes: nothing of it is kept in plain. It may be opened twice.
   * `path` is for messages. Errors as of `putFile`, and those of the stream.
   */
  putStream(open: () => Promise<AsyncIterable<Uint8Array>>, options: PutStreamOptions): Promise<StoredObject>;
  /** Stores a piece of a tree, given its plain bytes. */
  putPiece(kind: TreeKind, plain: Uint8Array): { name: string; stored: Promise<StoredPiece> };
  /**
   * The published object with a content of this SHA-256 and size, when that can be told without reading it: a raw one by
   * its size, any other by the hint of a file that had this content.
   */
  find(sha256: string, size: number): Promise<StoredObject | undefined>;
  /**
   * How a key (`objects/…`, `listings/…`) that this writer put is stored, where another writer published it first in
   * other bytes; known after `flush`.
   */
  formOf(key: string): StoredForm | undefined;
  /** Makes durable and publishes all that was put before this call. Nothing may refer to an object earlier. */
  flush(): Promise<void>;
  /** `flush`, then removes the staging folder. */
  close(): Promise<void>;
  /** Drops what was not flushed and removes the staging folder; never throws. */
  abort(): Promise<void>;
}

/** What a manifest keeps of one listing. */
export interface ListingRef {
  /** Name of the listing's root piece. */
  root: string;
  /** Name of the root piece of its inventory: all that the listing needs, sorted by key. */
  inventory: string;
  files: number;
  /** Sum of the plain sizes of the files. */
  bytes: number;
}

/** Some files of a listing. */
export interface StoredGroup {
  paths: string[];
  /**
   * For each 1 when its path ends in the SHA-256 of its content, and that is still there (by its name; also by its size where the
   * storage tells it with names) and was not found damaged; else 0.
   */
  whole: Uint8Array;
}

/** What can be read of a manifest without a key. */
export type PlainManifest = Omit<Manifest, 'details' | 'sealed' | 'mac'>;

export type ManifestFinding = 'manifest-missing' | 'manifest-torn' | 'manifest-unsupported' | 'manifest-forged';

/** What a path of a listing is now; without an entry it is no longer listed. */
export interface ListingChange {
  path: string;
  entry: FileEntry | undefined;
}

/** The keys of a sealed repository between two rotations. */
export interface KeyGeneration {
  generation: number;
  /** ISO time. */
  createdAt: string;
  /** Whom contents are sealed to: `age1…`. */
  recipients: string[];
  /** Whether a holder of the naming key wrote it; undefined where that is not known. */
  genuine: boolean | undefined;
}

/** A line of `list`: a good backup, or a damaged one (never hidden). `damage-noted`: it needs what a verify has found damaged. */
export type BackupSummary =
  | { id: string; state: 'complete'; manifest: PlainManifest }
  | { id: string; state: 'damaged'; finding: ManifestFinding | 'damage-noted'; message: string };

export interface PublishOptions {
  lease?: Lease;
  signal?: AbortSignal;
  lockMs?: number;
  onDamage?: (why: string) => void;
  /**
   * By the name of a part's inventory: marks that were taken before its writer looked for what is there. What is in a folder that
   * has kept its mark is not looked at again.
   */
  marks?: ReadonlyMap<string, FolderMarks>;
}

export interface Repository {
  readonly location: string;
  readonly id: string;
  readonly cluster: { name: string; id: string };
  /** Whether contents, listings and details are encrypted. */
  readonly sealed: boolean;
  /** False when it is sealed and no identity was given: listings, contents and details cannot be read. */
  readonly opens: boolean;
  /** Whether the storage has object lock. */
  canLock(): Promise<boolean>;

  objectWriter(options: ObjectWriterOptions): ObjectWriter;

  /**
   * Writes the listing and its inventory, and flushes the writer. `entries` must be sorted by path,
   * bytewise in UTF-8, without duplicates, else `internal`. Memory does not grow with the paths (72 bytes an object).
   */
  writeListing(
    entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>,
    writer: ObjectWriter,
    options?: { signal?: AbortSignal },
  ): Promise<ListingRef>;
  /**
   * The same for the entries of an older listing with changes, sorted likewise, in a time that follows their number: pieces
   * in which nothing changes are taken over unread; `publish` looks at them. Where those that change are damaged in the
   * older inventory (`onDamage` is told why) all pieces are written. Gives the very listing that `writeListing` would. Errors:
   * those of `readListing` when the older one cannot be read.
   */
  updateListing(
    previous: ListingRef,
    changes: readonly ListingChange[],
    writer: ObjectWriter,
    options?: { signal?: AbortSignal; onDamage?: (why: string) => void },
  ): Promise<ListingRef>;
  /**
   * Tells the files of a listing in groups, in order. Gives marks of the folders of objects for `publish`. For listings whose
   * objects come in the order of their names. Errors: those of `readListing`.
   */
  readStored(
    ref: Pick<ListingRef, 'root' | 'files'>,
    onGroup: (group: StoredGroup) => void,
    options?: { signal?: AbortSignal },
  ): Promise<FolderMarks>;
  /** Entries in order; every piece is checked by its hash. Errors: `object-missing`, `object-damaged`. */
  readListing(ref: Pick<ListingRef, 'root'>): AsyncIterable<ListingEntry>;

  /**
   * The plain content as a stream that fails with `object-damaged` at its end when the hash differs. `prefer` is the form
   * that the listing names: a failed run may have left half of another.
   */
  readObject(name: string, options?: { signal?: AbortSignal; prefer?: Encoding }): Promise<Readable>;
  /**
   * Lays the content out at `destPath` (temporary file in the same folder, checked, then renamed over it).
   * Not synced: the caller groups that. Returns the size. Errors: `object-missing`, `object-damaged`, `no-space`.
   */
  extract(
    name: string,
    destPath: string,
    options?: { signal?: AbortSignal; prefer?: Encoding; mode?: number; onBytes?: (bytes: number) => void },
  ): Promise<number>;

  /**
   * Checks that every object that the parts need is there with its size, then writes `manifest.json`, create-only and
   * durable. With a lease: refused with `locked` when it is no longer held. With `lockMs`, on a storage with object lock,
   * all that the backup needs is locked for at least so long. Pieces of inventories that were taken over from older ones
   * and are damaged (`onDamage` is told why) are written anew.
   */
  publish(draft: ManifestDraft, options?: PublishOptions): Promise<Manifest>;
  /** Newest first. What needs something that was found damaged is damaged, until a backup has stored that anew. */
  list(): Promise<BackupSummary[]>;
  /** As `list`, judged by their manifests alone. */
  manifests(): Promise<BackupSummary[]>;
  /** Errors: `backup-unknown`, `manifest-damaged`, `manifest-unsupported`. */
  readManifest(id: string): Promise<Manifest>;
  /** The engine's part of a manifest. Errors: `key-missing`, `key-wrong`, `manifest-damaged`. */
  readDetails(manifest: Manifest): Promise<ManifestDetails>;

  /** Whether a backup of a sealed repository is of any of these hosts, without an identity. Error: `key-missing`. */
  isOfHosts(manifest: PlainManifest, hostIds: readonly string[]): boolean;

  /** Generations of keys of a sealed repository, oldest first; none of another. */
  keys(): Promise<KeyGeneration[]>;
  /**
   * Seals what is new from now on to the recipients that were given when the repository was opened, and gives the number
   * of the new generation. What is there stays as it is. Errors: `usage` (nothing to change, not sealed), `key-missing`.
   */
  rotateKeys(options?: { dryRun?: boolean }): Promise<number>;

  verify(options: VerifyOptions): Promise<VerifyReport>;

  /**
   * Takes a lease; `locked` names who is in the way. `backups`: ids that the owner may publish (write: its own run when
   * absent) or needs (read, restore): those are never forgotten or pruned under it, nor published once it is taken away.
   * `staging`: its owner uses the staging repository of Elasticsearch; one at a time may.
   */
  acquireLease(
    kind: Lease['kind'],
    owner: Lease['owner'],
    options?: { backups?: readonly string[]; staging?: boolean },
  ): Promise<Lease>;
  leases(): Promise<ShownLease[]>;
  /** Removes what killed runs have left: leases that are stale, staged contents, interrupted writes. */
  clearDeadRuns(lease: Lease): Promise<ClearedRuns>;
  /**
   * Takes leases away; `harm` of each says what that can do. Errors: `locked` (one is alive or does not answer, and `force`
   * was not given), `usage` (no such lease).
   */
  unlock(ids: readonly string[], options: UnlockOptions): Promise<ShownLease[]>;
  /**
   * Forgets backups, by rules or by their ids: their manifests are removed, and what only they need goes with the next
   * prune. Errors: `below-minimum`, `object-locked`, `locked`, `backup-unknown`; then nothing was forgotten.
   */
  forget(options: ForgetOptions): Promise<ForgetReport>;
  /** Makes the file that a prune on a full disk deletes first; 0 bytes for none. */
  makeBallast(bytes: number): Promise<Ballast>;
  /**
   * Removes what no backup needs. Waits for writers to end. Errors: `locked` (another prune), `damage-found` (what a
   * backup needs cannot be told; nothing was removed).
   */
  prune(options: PruneOptions): Promise<PruneReport>;
  /**
   * Whether what another repository has stored can be taken over as it is; its contents must be opened else. Errors:
   * `key-missing`, `key-wrong`.
   */
  hasKeysOf(source: Repository): Promise<boolean>;
  /** Brings backups of another repository of the same cluster into this one. See `copyBackups`. */
  copyFrom(source: Repository, options: CopyOptions): Promise<CopyReport>;
  runLog(run: string): RunLog;
  /** Those of these runs that have written a log here: a run writes to its own repository alone. */
  runsOfOwn(runs: readonly string[]): Promise<string[]>;
  /** Removes `incoming/<run>`; the run's log stays. */
  discardRun(run: string): Promise<void>;
}

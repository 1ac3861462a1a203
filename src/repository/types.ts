import type { Readable } from 'node:stream';
import type { Manifest, ManifestDraft } from './format/manifest.ts';
import type { ListingEntry } from './format/listing-entry.ts';
import type { HintCache } from './hint-cache.ts';
import type { Lease, LeaseInfo } from './lease.ts';
import type { RunLog } from './run-log.ts';
import type { VerifyOptions, VerifyReport } from './verify/report.ts';

/** How the bytes of an object are stored; the name is always that of the plain content. */
export type Encoding = 'raw' | 'zstd';

/** A content that the repository holds (or will hold after `flush`). */
export interface StoredObject {
  /** SHA-256 of the plain content, 64 hex digits. */
  name: string;
  /** Plain size in bytes. */
  size: number;
  encoding: Encoding;
  /** Size of the stored bytes. */
  storedSize: number;
  /** SHA-256 of the stored bytes; equals `name` when raw. */
  storedSha256: string;
  /** True when this call brought the bytes; false when they were there. */
  isNew: boolean;
}

export interface PutFileOptions {
  /** The content must have this SHA-256, else `object-damaged` and nothing is kept. */
  expectSha256?: string;
  /** Reads the file whatever the hints say: one that is written through a memory map changes without a new time. */
  reread?: boolean;
  signal?: AbortSignal;
  /** Called with the number of bytes read since the last call. */
  onBytes?: (bytes: number) => void;
}

export interface ObjectWriterOptions {
  /** The run's id (`newBackupId`); the staging folder is `incoming/<run>/<writer>`. */
  run: string;
  /** Unique among the writers of this run, e.g. `node1-cassandra`; `[A-Za-z0-9._-]+`. */
  writer: string;
  /** When given, `putFile` asks it first and tells it what was read. */
  hints?: HintCache;
  /** `auto`: zstd where a sample shrinks. Default `off`: raw. */
  compression?: 'off' | 'auto';
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
  /** Stores a piece of a listing under the SHA-256 of its plain bytes. */
  putPiece(name: string, plain: Uint8Array): Promise<void>;
  /** Whether an object is published with the stored size that it must have (plain `size` for raw ones, if given). */
  has(name: string, size?: number): Promise<boolean>;
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
  /** Name of the root piece of its inventory: every object that the listing needs, sorted by name. */
  inventory: string;
  files: number;
  /** Sum of the plain sizes of the files. */
  bytes: number;
}

/** A line of `list`: a good backup, or a damaged one (never hidden). */
export type BackupSummary =
  | { id: string; state: 'complete'; manifest: Omit<Manifest, 'details'> }
  | {
      id: string;
      state: 'damaged';
      finding: 'manifest-missing' | 'manifest-torn' | 'manifest-unsupported';
      message: string;
    };

export interface Repository {
  readonly location: string;
  readonly id: string;
  readonly cluster: { name: string; id: string };

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
  /** Entries in order; every piece is checked by its hash. Errors: `object-missing`, `object-damaged`. */
  readListing(ref: Pick<ListingRef, 'root'>): AsyncIterable<ListingEntry>;

  /** The plain content as a stream that fails with `object-damaged` at its end when the hash differs. */
  readObject(name: string, options?: { signal?: AbortSignal }): Promise<Readable>;
  /**
   * Lays the content out at `destPath` (temporary file in the same folder, checked, then renamed over it).
   * Not synced: the caller groups that. Returns the size. Errors: `object-missing`, `object-damaged`, `no-space`.
   */
  extract(
    name: string,
    destPath: string,
    options?: { signal?: AbortSignal; mode?: number; onBytes?: (bytes: number) => void },
  ): Promise<number>;

  /**
   * Checks that every object that the parts need is there with its size, then writes `manifest.json`, create-only and
   * durable. With a lease: refused with `locked` when it is no longer held.
   */
  publish(draft: ManifestDraft, options?: { lease?: Lease; signal?: AbortSignal }): Promise<Manifest>;
  /** Newest first. */
  list(): Promise<BackupSummary[]>;
  /** Errors: `backup-unknown`, `manifest-damaged`. */
  readManifest(id: string): Promise<Manifest>;

  verify(options: VerifyOptions): Promise<VerifyReport>;

  acquireLease(kind: Lease['kind'], owner: Lease['owner']): Promise<Lease>;
  leases(): Promise<LeaseInfo[]>;
  runLog(run: string): RunLog;
  /** Removes `incoming/<run>`; the run's log stays. */
  discardRun(run: string): Promise<void>;
}

import { z } from 'zod';
import type { PinsOfRun } from '../cut/pin-heartbeat.ts';
import { repositoryAccess } from '../repository/access.ts';
import type { FolderMarks } from '../repository/folder-marks.ts';
import { s3Access } from '../s3/access.ts';

/**
 * What an agent can be asked: one schema for the parameters of each method, one type for each result. The controller's
 * typed client and the agent's table of handlers are both made from these. Sizes are bytes; times that end in `Us` are
 * microseconds since the epoch (exact in a double until the year 2255), in `Ms` milliseconds.
 */

const run = z.string().regex(/^[A-Za-z0-9-]{4,80}$/);
const path = z.string().startsWith('/');

/** Where TheHive keeps attachments: `location` is a path, or `s3://bucket/prefix` and `s3` how that is reached. */
const attachments = { location: z.string().regex(/^(\/|s3:\/\/)/), s3: s3Access.optional() };

const object = z.string().regex(/^[0-9a-f]{64}$/);

/** Where captured files go. `writer` is unique among the writers of a run. */
const target = z.object({
  repository: repositoryAccess,
  run,
  writer: z.string().regex(/^[A-Za-z0-9._-]+$/),
  /** `off` when absent. */
  compression: z.enum(['off', 'auto', 'max']).optional(),
  /** Files that one capture stores at once. */
  parallel: z.number().int().min(1).max(64).optional(),
  /** Stored bytes a second, of all that this agent sends. */
  limitUpload: z.number().int().positive().optional(),
});

const listing = z.object({ root: object, inventory: object, files: z.number(), bytes: z.number() });

export const tableRef = z.object({ id: z.string(), name: z.string() });

/** A table's truncation record as `system.local` has it: positions at or before it are gone. */
export const truncation = z.object({ table: z.string(), segment: z.string(), position: z.number() });

/** How far a log was: which file it was, its size, and what had been rolled from it by then. */
const logMark = z.object({ file: path, id: z.string(), size: z.number(), rolled: z.array(z.string()) });

export const params = {
  'node.clock': z.object({}),
  'node.facts': z.object({ paths: z.array(path) }),
  'node.run': z.object({
    argv: z.array(z.string()).min(1),
    timeoutMs: z.number().int().positive(),
    /** Not ended when the call is cancelled: what it has begun elsewhere would go on unseen. */
    toEnd: z.boolean().optional(),
  }),
  /** Runs `argv` when the conversation ends before `node.offExit` was called with the same id. */
  'node.onExit': z.object({ id: z.string(), argv: z.array(z.string()).min(1) }),
  'node.offExit': z.object({ id: z.string() }),
  /** How far logs are now. */
  'look.logs': z.object({ files: z.array(path) }),
  /** SSTables that were put in behind the commit log's back: what the logs of Cassandra say of it since they were marked. */
  'look.imports': z.object({ marks: z.array(logMark), keyspace: z.string() }),
  'node.logs': z.object({ files: z.array(path), sinceMs: z.number(), maxLines: z.number().int().positive() }),

  /** Looks of `skep check`: they change nothing that lasts. */
  'look.commitlog': z.object({ commitlogDir: path }),
  /** Whether this agent may hard-link a file found below `from` into the folder `into`. */
  'look.link': z.object({ from: path, into: path }),
  /** Opens the repository and tries what a backup relies on, in a place of its own that is removed again. */
  /** Which repository is there; with `change` also whether the storage does what a backup relies on. */
  'look.repository': z.object({ repository: repositoryAccess, change: z.boolean() }),
  'look.attachments': z.object({ ...attachments, sample: z.number().int().positive() }),
  /** What may be done in a bucket with attachments; with `change` also what only a restore does, by a key of skep's own. */
  'look.bucket': z.object({ ...attachments, change: z.boolean() }),
  /** `commitlog_archiving.properties` in the first of these folders that has one. */
  'look.archiving': z.object({ folders: z.array(path) }),
  /** Runs that have left, or are using, pins: those of a commit log, those in the folder of an attachments' location. */
  'look.pins': z.object({ commitlogDir: path.optional(), folders: z.array(path) }),
  /** `nodetool repair`: emits progress in ranges (as `files`), ends when nodetool ends. */
  'repair.run': z.object({ argv: z.array(z.string()).min(1) }),

  'pin.start': z.object({ run, commitlogDir: path }),
  /** Lists what is pinned, after one more look into the folder unless it is frozen. */
  'pin.list': z.object({ run }),
  /** The same, and no segment is pinned after it. */
  'pin.freeze': z.object({ run }),
  'pin.clear': z.object({ run }),
  /** Removes a folder of pins, of whichever run. */
  'pin.remove': z.object({ folder: path }),

  'snapshot.check': z.object({
    dataDirs: z.array(path),
    keyspace: z.string(),
    tag: z.string(),
    tables: z.array(tableRef),
  }),
  'snapshot.leftovers': z.object({ dataDirs: z.array(path), keyspace: z.string(), prefix: z.string() }),
  /** Stores the snapshot's files; the listing is made by `capture.segments`, which must follow. */
  'capture.cassandra': z.object({
    target,
    dataDirs: z.array(path),
    keyspace: z.string(),
    tag: z.string(),
    tables: z.array(tableRef),
  }),
  /** Stores the pinned segments, which must be frozen, reads them as a restore will, and writes the listing of the node's Cassandra. */
  'capture.segments': z.object({
    target,
    /** Decimal µs. */
    T: z.string(),
    schema: z.unknown(),
    truncated: z.array(truncation),
    foreign: z.array(z.string()),
  }),
  'capture.tree': z.object({ target, folder: path }),
  /** Stores configurations, each file under its absolute path, and the list of installed packages. */
  'capture.config': z.object({ target, paths: z.array(z.object({ path, optional: z.boolean() })) }),
  /** `previous`: the listing of the same store in an older backup, a hint of what need not be read again. */
  'files.start': z.object({
    target,
    ...attachments,
    pollMs: z.number().int().positive(),
    previous: listing.optional(),
  }),
  'files.finish': z.object({ target }),
  'files.stop': z.object({ run }),
  'files.sample': z.object({ ...attachments, count: z.number().int().positive() }),
  'files.judge': z.object({ ...attachments, paths: z.array(z.string()) }),

  /** Where what is in each folder can be set aside by renaming: below `base`, or where this node has room for it. */
  'restore.places': z.object({ folders: z.array(path), base: path.optional() }),
  /** Moves all but `keep` out of folders. What is in `to` already is never written over. */
  'restore.aside': z.object({ moves: z.array(z.object({ from: path, to: path, keep: z.array(z.string()) })) }),
  'restore.tree': z.object({
    repository: repositoryAccess,
    listing,
    /** Only entries below this prefix, which is cut off. */
    prefix: z.string(),
    to: path,
    /** A folder on the same filesystem with the previous state: files with the same content are linked from it. */
    reuse: path.optional(),
  }),
  /**
   * Makes a bucket hold what a listing holds and nothing else. What is there and is not the backup's is moved below `aside`
   * first. May be repeated.
   */
  'restore.objects': z.object({ repository: repositoryAccess, listing, to: z.object(attachments), aside: z.string() }),
  'restore.sstables': z.object({
    repository: repositoryAccess,
    listing,
    /** For each table id (32 hex digits): its folders, made when absent, and where previous files were set aside. */
    tables: z.record(z.string(), z.object({ to: z.array(path).min(1), reuse: z.array(path) })),
  }),
  'restore.segments': z.object({
    repository: repositoryAccess,
    listing,
    T: z.string(),
    schema: z.unknown(),
    truncated: z.array(truncation),
    foreign: z.array(z.string()),
    to: path,
    /** Decimal: fresh ids are greater than this, than the clock, and than every id in `to` and `aside`. */
    above: z.string(),
    /** Where the node's own segments have been set aside. */
    aside: path.optional(),
  }),
  'restore.remove': z.object({ folders: z.array(path) }),
} as const;

export type Method = keyof typeof params;
export type Params<M extends Method> = z.input<(typeof params)[M]>;
export type Parsed<M extends Method> = z.output<(typeof params)[M]>;

export type ListingRef = z.output<typeof listing>;
export type Target = z.output<typeof target>;
export type LogMark = z.output<typeof logMark>;
export type Truncation = z.output<typeof truncation>;

export interface Space {
  path: string;
  /** False when the path is not there. */
  exists: boolean;
  freeBytes: number;
  totalBytes: number;
  device: number;
  readable: boolean;
  writable: boolean;
  /** Owner's user id, undefined when absent. */
  uid?: number;
}

export interface NodeFacts {
  skep: string;
  hostname: string;
  /** Of all its interfaces. */
  addresses: string[];
  user: string;
  uid: number;
  protectedHardlinks: boolean;
  /** The most memory that the agent has had so far. */
  peakRssBytes: number;
  space: Space[];
}

export interface Captured {
  listing: ListingRef;
  /** Stored bytes and objects that this capture brought. */
  newBytes: number;
  newObjects: number;
}

export interface PinnedSegment {
  name: string;
  id: string;
  bytes: number;
}

export interface Pinned {
  folder: string;
  segments: PinnedSegment[];
  /** Segments that were seen in a listing but were gone before they could be linked. */
  missed: string[];
}

/** What the commit log reader saw in the pinned segments; counts are mutations. */
export interface SegmentEvidence {
  read: number;
  kept: number;
  afterT: number;
  truncated: number;
  foreign: number;
  /** Newest timestamp that was seen, decimal µs; absent when there was no mutation. */
  newest?: string;
  /** Mutations at or before `T` beyond the last sync marker: the copy was taken too early. */
  unsynced: number;
}

/** The newest write timestamp in SSTables (decimal µs), and the file that tells it. */
export interface NewestWrite {
  us: string;
  file: string;
}

export interface CommitlogLook {
  /** Where pins would be. */
  pinFolder: string;
  segments: number;
  bytes: number;
  /** Owner of the newest segment. */
  uid?: number;
  /** Why a segment could not be read. */
  unreadable?: string;
  /** Why a segment could not be linked. */
  refused?: string;
}

export interface Results {
  'node.clock': { us: number };
  'node.facts': NodeFacts;
  'node.run': { exitCode: number; stdout: string; stderr: string };
  'node.onExit': null;
  'node.offExit': null;
  /** `cutShort`: logs so long that only their end was read. */
  'node.logs': { lines: { file: string; line: string; atMs?: number }[]; unreadable: string[]; cutShort: string[] };
  'look.commitlog': CommitlogLook;
  /** `tried` is absent when there is no file to try with; `refused` says why a link was not to be had. */
  'look.link': { tried?: string; refused?: string };
  'look.repository': { id: string };
  /** `bytes` is estimated from the sample. */
  'look.attachments': { files: number; bytes: number; sampled: number };
  /** `refused`: why it may only be read. */
  'look.bucket': { versioned: boolean; refused?: string };
  'look.archiving': { file?: string; properties: Record<string, string> };
  /** `why`: the code of the system's error. */
  'look.logs': { marks: LogMark[]; unreadable: { file: string; why: string }[] };
  /** `unseen`: logs of which not all could be read that was written since. */
  'look.imports': { lines: string[]; unseen: { file: string; why: string }[] };
  'look.pins': { runs: PinsOfRun[] };
  'repair.run': { exitCode: number; ranges: number; lines: string[] };
  'pin.start': Pinned;
  'pin.list': Pinned;
  'pin.freeze': Pinned;
  'pin.clear': null;
  'pin.remove': null;
  'snapshot.check': { files: number; bytes: number; newest?: NewestWrite };
  'snapshot.leftovers': { tags: string[] };
  'capture.cassandra': { files: number; bytes: number };
  'capture.segments': Captured & { evidence: SegmentEvidence };
  'capture.tree': Captured;
  'capture.config': Captured;
  'files.start': { files: number };
  /**
   * `lost`: gone before they could be read, and how long before the answer that was noticed. `marks`: see
   * `PublishOptions.marks`.
   */
  'files.finish': Captured & {
    pinned: number;
    mismatched: string[];
    lost: { path: string; agoMs: number }[];
    marks: FolderMarks;
  };
  'files.stop': null;
  'files.sample': { looked: number; mismatched: string[] };
  /** `changing`: written to a moment ago; `damaged`: at rest, and not what its name promises. */
  'files.judge': { states: { path: string; state: 'whole' | 'changing' | 'damaged' | 'gone' }[] };
  'restore.places': { undo: string[] };
  'restore.aside': { moved: number };
  'restore.tree': { files: number; bytes: number; reused: number };
  'restore.objects': { files: number; bytes: number; reused: number; moved: number };
  'restore.sstables': { files: number; bytes: number; reused: number };
  'restore.segments': { evidence: SegmentEvidence; written: string[] };
  'restore.remove': null;
}

/** What long methods emit while they work. */
export interface Progress {
  files: number;
  bytes: number;
  totalFiles?: number;
  totalBytes?: number;
}

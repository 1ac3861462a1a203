import type { Readable } from 'node:stream';
import type { Bins } from './bins.ts';
import type { Retention } from './retention.ts';

/** `end` is exclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredKey {
  key: string;
  size: number;
  /** When it was written last, in ms since 1970, by the storage's own clock: of use only beside others of its kind. */
  modifiedMs?: number;
}

/**
 * Where the bytes of a repository live: keys with `/`, each with bytes. Small enough for any object storage.
 * Every failure is a SkepError: `no-space`, `object-missing` (get and read of an absent key), `object-damaged` (get and read
 * of what is no file), `repository-failed`; of an
 * object storage also `repository-credentials`, `repository-missing` (no bucket), `clock-skew` and `config-invalid` (region).
 */
export interface Backend {
  /** As the user wrote it. */
  readonly location: string;
  /** True where a large content is best staged for its key (`Batch.stage`): it goes there while it is written. */
  readonly keyFirst?: boolean;
  /**
   * Durable when it returns. Without `overwrite` it never changes a key that exists. With `lockUntil`, on a storage with
   * object lock, a key that it creates is locked from its first moment on. May be repeated.
   */
  put(
    key: string,
    bytes: Uint8Array,
    options?: { overwrite?: boolean; lockUntil?: Date },
  ): Promise<'created' | 'exists'>;
  /** Adds bytes at the end of a key that only the caller writes; not synced. Not to be repeated. */
  append(key: string, bytes: Uint8Array): Promise<void>;
  get(key: string, range?: ByteRange): Promise<Buffer>;
  read(key: string, range?: ByteRange): Promise<Readable>;
  /** Where keys are files: the key's, to be closed by the caller. Errors: those of `read`. */
  openFile?(key: string): OpenFile;
  /** Sizes in the order of the keys; undefined where there is no such key. */
  sizes(keys: readonly string[]): Promise<(number | undefined)[]>;
  /**
   * The names directly below a prefix that ends with `/`, and their sizes where the storage tells them together. One look
   * at many names: much cheaper than `sizes` of each.
   */
  names(prefix: string): Promise<ReadonlyMap<string, number | undefined>>;
  /**
   * Where a storage tells that names directly below a prefix (which ends with `/`) have not changed: a mark for each, which is
   * another one from the next name on that comes or goes; undefined where nothing can be told, as right after a change. What
   * `names` gave after a mark was taken is still there as long as the mark is the same.
   */
  marks?(prefixes: readonly string[]): Promise<(string | undefined)[]>;
  /** All keys that begin with the prefix (which ends with `/`), in no order. */
  list(prefix: string): AsyncIterable<StoredKey>;
  /** False when there was none. May be repeated. */
  delete(key: string): Promise<boolean>;
  /**
   * Those of the keys that are there. When it fails some may be gone. May be repeated. `fence` is for storages whose
   * requests carry a time (`refusesOld`): it is called when a request has got its time, and may throw to hold it back.
   */
  deleteMany(keys: readonly string[], fence?: () => void): Promise<void>;
  /**
   * On a storage that refuses a request which reaches it a quarter of an hour after the time that it carries: whether it
   * does; tried in the place of `key`.
   */
  refusesOld?(key: string): Promise<boolean>;
  /** Everything below a prefix that ends with `/`, also what was begun there and never ended. May be repeated. */
  deletePrefix(prefix: string): Promise<void>;
  /** `prefix` is this batch's own staging place and ends with `/`. */
  openBatch(prefix: string): Batch;
  /** Removes what interrupted writes and uploads have left and nobody goes on with; gives how many there were. */
  clearLeftovers?(): Promise<number>;
  /** On a storage that can move keys; how sweeps are made safe there. */
  readonly bins?: Bins;
  /** On a storage with object lock. */
  readonly retention?: Retention;
}

/** Group durability: contents are staged without syncs, then published together. */
export interface Batch {
  /** With `to`: the content is for that key and no other, and is expected to have at most `size` bytes. */
  stage(to?: { key: string; size: number }): Promise<Staged>;
  /** One call for a content that is in memory, which may be used again when it returns. */
  stageBytes(bytes: Uint8Array): Promise<Staged>;
  /**
   * Where a content may go to its key straight from its file. The source belongs to the batch; undefined, and the source
   * closed, when it is better read and staged.
   */
  stageSource?(source: ContentSource): Promise<Staged | undefined>;
  /** The staged content is to become `key`: at the next `flush`, or before it where a key appears whole and durable at once. */
  add(staged: Staged, key: string, onConflict: ConflictPolicy): void;
  /**
   * Makes durable what was added, publishes it under its key (create-only), makes that durable, and drops the staged
   * copies. Returns the keys that others had published before with the same size. Not to be called twice at once.
   */
  flush(): Promise<ReadonlySet<string>>;
  /** Ends what is under way, and removes the staging place with all in it. */
  close(): Promise<void>;
}

/** A file outside the repository whose content has been read, and is to be as it was then. */
export interface ContentSource {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** How many bytes were read; 0 means the end. */
  read(into: Buffer, position: number): Promise<number>;
  close(): void;
}

/**
 * What if the key exists with another size: `replace` it, since it is damaged (the key says what its bytes must be), or
 * `fail` (an encoding whose bytes may differ). `renew`: what is there is known to be damaged and is replaced whatever its
 * size. Who reads meanwhile finds the old bytes or the new ones; the old ones are kept under `damaged/`.
 */
export type ConflictPolicy = 'replace' | 'fail' | 'renew';

export interface Staged {
  readonly size: number;
  /** In order; one call at a time. */
  write(chunk: Uint8Array): Promise<void>;
  /** No more bytes come. */
  end(): Promise<void>;
  /** Removes it; also after an error, and more than once. */
  discard(): Promise<void>;
  /** Present where another thread may write it instead of `write`. */
  readonly file?: WritableFile;
}

/** A file that is open in this process: each of its threads may use the descriptor. The path is for messages. */
export interface OpenFile {
  readonly path: string;
  readonly descriptor: number;
}

/** One that is written from its beginning on. */
export interface WritableFile extends OpenFile {
  /** To be told now and then, and before `end`: so many bytes are written. */
  wrote(total: number): void;
}

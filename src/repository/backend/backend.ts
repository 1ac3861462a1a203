import type { Readable } from 'node:stream';

/** `end` is exclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredKey {
  key: string;
  size: number;
}

/**
 * Where the bytes of a repository live: keys with `/`, each with bytes. Small enough for any object storage.
 * Every failure is a SkepError: `no-space`, `object-missing` (get and read of an absent key) or `repository-failed`.
 */
export interface Backend {
  /** As the user wrote it. */
  readonly location: string;
  /** Durable when it returns. Without `overwrite` it never changes a key that exists. May be repeated. */
  put(key: string, bytes: Uint8Array, options?: { overwrite?: boolean }): Promise<'created' | 'exists'>;
  /** Adds bytes at the end of a key that only the caller writes; not synced. Not to be repeated. */
  append(key: string, bytes: Uint8Array): Promise<void>;
  get(key: string, range?: ByteRange): Promise<Buffer>;
  read(key: string, range?: ByteRange): Promise<Readable>;
  /** Sizes in the order of the keys; undefined where there is no such key. */
  sizes(keys: readonly string[]): Promise<(number | undefined)[]>;
  /** All keys that begin with the prefix (which ends with `/`), in no order. */
  list(prefix: string): AsyncIterable<StoredKey>;
  /** False when there was none. May be repeated. */
  delete(key: string): Promise<boolean>;
  /** Everything below a prefix that ends with `/`. May be repeated. */
  deletePrefix(prefix: string): Promise<void>;
  /** `prefix` is this batch's own staging place and ends with `/`. */
  openBatch(prefix: string): Batch;
}

/** Group durability: contents are staged without syncs, then published together. */
export interface Batch {
  stage(): Promise<Staged>;
  /** One call for a content that is in memory. */
  stageBytes(bytes: Uint8Array): Promise<Staged>;
  /** The staged content is to become `key` at the next `flush`. */
  add(staged: Staged, key: string, onConflict: ConflictPolicy): void;
  /**
   * Makes durable what was added, publishes it under its key (create-only), makes that durable, and drops the staged
   * copies. Returns the keys that others had published before with the same size. Not to be called twice at once.
   */
  flush(): Promise<ReadonlySet<string>>;
  /** Removes the staging place with all in it. */
  close(): Promise<void>;
}

/**
 * What if the key exists with another size: `replace` it, since it is damaged (the key says what its bytes must be; the
 * old bytes are kept under `damaged/`), or `fail` (an encoding whose bytes may differ).
 */
export type ConflictPolicy = 'replace' | 'fail';

export interface Staged {
  readonly size: number;
  /** In order; one call at a time. */
  write(chunk: Uint8Array): Promise<void>;
  /** No more bytes come. */
  end(): Promise<void>;
  /** Removes it; also after an error, and more than once. */
  discard(): Promise<void>;
}

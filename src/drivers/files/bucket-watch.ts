import {
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { SkepError } from '../../errors.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { isUnknownToStorage } from '../../s3/errors.ts';
import { openObject, type OpenObject } from '../../s3/read-object.ts';
import type { FileState } from './attachment-store.ts';
import { type Lost, LostFiles } from './lost-files.ts';
import type { PathTable } from './path-table.ts';
import { isAttachmentKey } from './walk.ts';
import { SEEN, type Skip, type Source, STORED, type Watch } from './watch.ts';

/** A storage refuses whose clock is a quarter of an hour off: what it says was before this long ago was before now. */
const CLOCKS_MS = 20 * 60_000;

/**
 * Looks at the attachments of a bucket again and again from the first listing on. An object cannot be pinned: it is read as
 * soon as it is seen. Where the bucket keeps versions nothing can be missed, since what was deleted meanwhile is found by
 * the last look; where it does not, what was deleted before it could be read is told (`lost`).
 */
export class BucketWatch implements Watch {
  /** Objects appear whole. */
  readonly inPlace = false;
  readonly pinned = 0;
  readonly #bucket: Bucket;
  readonly #paths: PathTable;
  readonly #skip: Skip;
  readonly #onNew: (id: number) => void;
  readonly #polls = new AbortController();
  /** Ends what is under way. */
  readonly #halting = new AbortController();
  /** Of those that are read in an older version, since they were deleted: which one. */
  readonly #versions = new Map<number, string>();
  readonly #lost = new LostFiles();
  #isVersioned = false;
  #startedMs = 0;
  #seen = 0;
  #polling: Promise<void> = Promise.resolve();
  #failure: unknown;

  /** See `AttachmentWatch`. */
  constructor(o: { bucket: Bucket; paths: PathTable; skip: Skip; onNew: (id: number) => void }) {
    this.#bucket = o.bucket;
    this.#paths = o.paths;
    this.#skip = o.skip;
    this.#onNew = o.onNew;
  }

  get seen(): number {
    return this.#seen;
  }

  wasSeen(id: number): boolean {
    return this.#paths.has(id, SEEN);
  }

  lost(): Lost[] {
    return this.#lost.all();
  }

  /** A bucket that keeps versions is not looked at again until the last look. */
  async start(pollMs: number, stored: Promise<unknown> = Promise.resolve()): Promise<void> {
    await stored;
    this.#startedMs = Date.now();
    this.#isVersioned = await keepsVersions(this.#bucket, this.#halting.signal);
    await this.#look();
    if (!this.#isVersioned) this.#polling = this.#poll(pollMs);
  }

  async look(): Promise<void> {
    this.#polls.abort();
    await this.#polling;
    if (this.#failure) throw this.#failure;
    if (!this.#isVersioned) return this.#look();
    await this.#lookAtVersions();
    if (await keepsVersions(this.#bucket, this.#halting.signal)) return;
    throw new SkepError('backup-incomplete', `versioning of ${this.#bucket.location} was turned off meanwhile`, {
      hint: 'Leave it as it is while a backup runs, then run `skep backup` again.',
      retryable: true,
    });
  }

  halt(): void {
    this.#polls.abort();
    this.#halting.abort();
  }

  async stop(): Promise<void> {
    this.halt();
    await this.#polling;
  }

  async open(id: number, signal: AbortSignal): Promise<Source | undefined> {
    let version = this.#versions.get(id);
    const path = this.#paths.pathOf(id);
    const get = () => openObject(this.#bucket, path, { version, signal });
    let first: OpenObject | undefined;
    try {
      first = await get();
    } catch (e) {
      if (!this.#bucket.isAbsent(e)) throw e;
      this.gone(id);
      return undefined;
    }
    const { size, modifiedMs: mtimeMs, stream } = first;
    // What is read once more is what was read before, also when it was deleted meanwhile.
    version ??= first.version;
    const open = async (): Promise<Readable> => {
      const mine = first ?? (await get());
      first = undefined;
      return mine.stream;
    };
    return { state: { size, mtimeMs }, open, close: () => void stream.destroy() };
  }

  gone(id: number): boolean {
    this.#paths.clear(id, SEEN);
    this.#seen--;
    // The last look finds it by its versions, but for what that look itself has found.
    if (!this.#isVersioned || this.#versions.has(id)) this.#lost.add(this.#paths.pathOf(id));
    return true;
  }

  async #poll(pollMs: number): Promise<void> {
    const { signal } = this.#polls;
    let rest = pollMs;
    while (!signal.aborted) {
      // A listing of many keys takes its time: half of it is left to others.
      await delay(rest, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const began = Date.now();
      await this.#look().catch((e: unknown) => {
        this.#failure ??= e;
        this.halt();
      });
      rest = Math.max(pollMs, Date.now() - began);
    }
  }

  async #look(): Promise<void> {
    for await (const page of this.#bucket.pages('', { signal: this.#halting.signal })) {
      for (const { key, size, modifiedMs = 0 } of page) await this.#saw(key, { size, mtimeMs: modifiedMs });
    }
  }

  /** What is there, and what was deleted since the beginning, in its newest version. */
  async #lookAtVersions(): Promise<void> {
    const keys = new KeysByVersions(this.#startedMs - CLOCKS_MS);
    for await (const page of versionPages(this.#bucket, this.#halting.signal)) {
      for (const { Key = '', IsLatest, LastModified } of page.DeleteMarkers ?? []) {
        keys.marked(this.#bucket.keyOf(Key), IsLatest === true, LastModified?.getTime());
      }
      for (const { Key = '', LastModified, Size = 0, VersionId } of page.Versions ?? []) {
        const key = this.#bucket.keyOf(Key);
        if (!keys.isWanted(key)) continue;
        await this.#saw(key, { size: Size, mtimeMs: LastModified?.getTime() ?? 0 }, VersionId);
      }
      keys.pageEnds(page.NextKeyMarker && this.#bucket.keyOf(page.NextKeyMarker));
    }
    // Deleted for good, or by a rule that is too quick.
    for (const [key, atMs] of keys.withoutVersion()) {
      if (isAttachmentKey(key) && !this.wasSeen(this.#paths.idOf(key))) this.#lost.add(key, atMs);
    }
  }

  async #saw(key: string, state: FileState, version?: string): Promise<void> {
    if (!isAttachmentKey(key)) return;
    if (!isUsable(key)) {
      throw new SkepError(
        'file-unreadable',
        `${this.#bucket.location} has a key that no folder could have: ${JSON.stringify(key)}`,
        {
          hint: 'It is none of TheHive: move it elsewhere, or name the prefix of TheHive in `files.location`.',
          context: { key },
        },
      );
    }
    const id = this.#paths.idOf(key);
    if (this.#paths.has(id, SEEN)) return;
    this.#paths.set(id, SEEN);
    this.#lost.found(key);
    this.#seen++;
    if (this.#paths.has(id, STORED) || (await this.#skip(key, () => state))) return;
    if (version !== undefined) this.#versions.set(id, version);
    this.#onNew(id);
  }
}

/** Which keys of a listing of versions are there, or were deleted since a time. Of a key the newest entry comes first. */
class KeysByVersions {
  readonly #sinceMs: number;
  /** Deleted since then, when, and no version of them was seen. */
  readonly #recent = new Map<string, number>();
  /** Deleted before. */
  readonly #old = new Set<string>();
  /** The key of the last version. */
  #last: string | undefined;

  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  marked(key: string, isLatest: boolean, atMs = Date.now()): void {
    if (!isLatest) return;
    if (atMs < this.#sinceMs) this.#old.add(key);
    else this.#recent.set(key, atMs);
  }

  /** Whether a version is what the key is, or was before it was deleted. Some storages make no markers. */
  isWanted(key: string): boolean {
    if (key === this.#last) return false;
    this.#last = key;
    this.#recent.delete(key);
    return !this.#old.has(key);
  }

  /** The next page goes on with versions of `key`, if with any that were marked. */
  pageEnds(key: string | undefined): void {
    const goesOn = key !== undefined && this.#old.has(key);
    this.#old.clear();
    if (goesOn) this.#old.add(key);
  }

  /** Deleted since then for good, or their versions by a rule that is too quick: keys, and when. */
  withoutVersion(): Iterable<[string, number]> {
    return this.#recent;
  }
}

/** Whether a key is a path that a folder could have: only such can be listed. */
function isUsable(key: string): boolean {
  return !key.includes('\0') && key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Whether a bucket keeps what is deleted. One that does not tell is taken for one that does not. */
export async function keepsVersions(bucket: Bucket, signal?: AbortSignal): Promise<boolean> {
  const command = new GetBucketVersioningCommand({ Bucket: bucket.bucket });
  try {
    const { Status } = await bucket.call('ask for versions', (o) => bucket.client.send(command, o), signal);
    return Status === 'Enabled';
  } catch (e) {
    if (isUnknownToStorage(e)) return false;
    throw e;
  }
}

/** All versions and marks of deletion in a bucket, in the order of their keys. */
export async function* versionPages(
  bucket: Bucket,
  signal?: AbortSignal,
): AsyncGenerator<ListObjectVersionsCommandOutput> {
  const { Bucket, Key: Prefix } = bucket.at('');
  let from: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = {};
  while (from !== undefined) {
    const command = new ListObjectVersionsCommand({ Bucket, Prefix, ...from });
    const page: ListObjectVersionsCommandOutput = await bucket.call(
      'list versions',
      (o) => bucket.client.send(command, o),
      signal,
    );
    yield page;
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    if (page.IsTruncated === true && KeyMarker === from.KeyMarker && VersionIdMarker === from.VersionIdMarker) {
      throw bucket.endless('list versions');
    }
    from = page.IsTruncated === true ? { KeyMarker, VersionIdMarker } : undefined;
  }
}

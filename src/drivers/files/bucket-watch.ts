import {
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import type { Bucket } from '../../s3/bucket.ts';
import { isUnknownToStorage } from '../../s3/errors.ts';
import { openObject, type OpenObject } from '../../s3/read-object.ts';
import type { FileState } from './attachment-store.ts';
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
  #halted = false;
  /** Of those that are read in an older version, since they were deleted: which one. */
  readonly #versions = new Map<number, string>();
  /** When it was seen that they are gone and were not read; ms since 1970. */
  readonly #lost = new Map<number, number>();
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

  lost(): { path: string; agoMs: number }[] {
    return [...this.#lost].map(([id, atMs]) => ({ path: this.#paths.pathOf(id), agoMs: Date.now() - atMs }));
  }

  /** A bucket that keeps versions is not looked at again until the last look. */
  async start(pollMs: number, stored: Promise<unknown> = Promise.resolve()): Promise<void> {
    await stored;
    this.#startedMs = Date.now();
    this.#isVersioned = await keepsVersions(this.#bucket);
    await this.#look();
    if (!this.#isVersioned) this.#polling = this.#poll(pollMs);
  }

  async look(): Promise<void> {
    this.#polls.abort();
    await this.#polling;
    if (this.#failure) throw this.#failure;
    await (this.#isVersioned ? this.#lookAtVersions() : this.#look());
  }

  halt(): void {
    this.#halted = true;
    this.#polls.abort();
  }

  async stop(): Promise<void> {
    this.halt();
    await this.#polling;
  }

  async open(id: number, signal: AbortSignal): Promise<Source | undefined> {
    const version = this.#versions.get(id);
    const path = this.#paths.pathOf(id);
    const get = () => openObject(this.#bucket, path, { version, signal });
    let first: OpenObject | undefined;
    try {
      first = await get();
    } catch (e) {
      if (!this.#bucket.isAbsent(e)) throw e;
      this.#paths.clear(id, SEEN);
      this.#seen--;
      // The last look finds it by its versions.
      if (!this.#isVersioned) this.#lost.set(id, Date.now());
      return undefined;
    }
    const { size, modifiedMs: mtimeMs, stream } = first;
    const open = async (): Promise<Readable> => {
      const mine = first ?? (await get());
      first = undefined;
      return mine.stream;
    };
    return { state: { size, mtimeMs }, open, close: () => void stream.destroy() };
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
    for await (const page of this.#bucket.pages('')) {
      if (this.#halted) return;
      for (const { key, size, modifiedMs = 0 } of page) await this.#saw(key, { size, mtimeMs: modifiedMs });
    }
  }

  /** What is there, and what was deleted since the beginning, in its newest version. */
  async #lookAtVersions(): Promise<void> {
    const deleted = new Set<string>();
    for await (const page of versionPages(this.#bucket)) {
      if (this.#halted) return;
      for (const { Key = '', IsLatest, LastModified } of page.DeleteMarkers ?? []) {
        const sinceMs = this.#startedMs - CLOCKS_MS;
        if (IsLatest === true && (LastModified?.getTime() ?? Infinity) >= sinceMs) deleted.add(this.#bucket.keyOf(Key));
      }
      for (const { Key = '', IsLatest, LastModified, Size = 0, VersionId } of page.Versions ?? []) {
        const key = this.#bucket.keyOf(Key);
        // The newest of a key comes first.
        if (IsLatest !== true && !deleted.delete(key)) continue;
        await this.#saw(key, { size: Size, mtimeMs: LastModified?.getTime() ?? 0 }, VersionId);
      }
    }
  }

  async #saw(key: string, state: FileState, version?: string): Promise<void> {
    if (!isAttachmentKey(key)) return;
    const id = this.#paths.idOf(key);
    if (this.#paths.has(id, SEEN)) return;
    this.#paths.set(id, SEEN);
    this.#lost.delete(id);
    this.#seen++;
    if (this.#paths.has(id, STORED) || (await this.#skip(key, () => state))) return;
    if (version !== undefined) this.#versions.set(id, version);
    this.#onNew(id);
  }
}

/** Whether a bucket keeps what is deleted. One that does not tell is taken for one that does not. */
export async function keepsVersions(bucket: Bucket): Promise<boolean> {
  const command = new GetBucketVersioningCommand({ Bucket: bucket.bucket });
  try {
    const { Status } = await bucket.call('ask for versions', (o) => bucket.client.send(command, o));
    return Status === 'Enabled';
  } catch (e) {
    if (isUnknownToStorage(e)) return false;
    throw e;
  }
}

async function* versionPages(bucket: Bucket): AsyncGenerator<ListObjectVersionsCommandOutput> {
  const { Bucket, Key: Prefix } = bucket.at('');
  let from: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = {};
  while (from !== undefined) {
    const command = new ListObjectVersionsCommand({ Bucket, Prefix, ...from });
    const page: ListObjectVersionsCommandOutput = await bucket.call('list versions', (o) =>
      bucket.client.send(command, o),
    );
    yield page;
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    from = page.IsTruncated === true ? { KeyMarker, VersionIdMarker } : undefined;
  }
}

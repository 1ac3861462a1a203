import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, onTestFinished } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import type { Lease, Manifest, Repository } from '../../../../src/repository/index.ts';
import { acquireLease } from '../../../../src/repository/lease/index.ts';
import { manifestCopyKey, manifestKey, publishedKey } from '../../../../src/repository/format/names.ts';
import { prune, type PruneOptions } from '../../../../src/repository/prune/prune.ts';
import { UNSEALED } from '../../../../src/repository/sealing/keyring.ts';
import { initOnBackend, openOnBackend } from '../../../../src/repository/repository.ts';
import { fileEntry } from '../../../../src/repository/format/listing-entry.ts';
import { CLUSTER, nextBackupId } from './repository.ts';

/** An owner that is silent for so long is taken for dead; nobody beats its heart so often in a test. */
export const DEAD = { judgeStaleMs: -1 };

/** The same races on every kind of storage. */
export function onEachBackend(what: string, races: (make: () => Promise<Backend>) => void): void {
  describe.each([
    ['memory', async (): Promise<Backend> => new MemoryBackend()],
    ['path', async (): Promise<Backend> => new PathBackend(await fastFolder())],
  ] as const)(`${what} on %s`, (_, make) => {
    races(async () => {
      const backend = await make();
      await initOnBackend(backend, CLUSTER);
      return backend;
    });
  });
}

/** In memory where the system has such a place: these tests are about order, not about what a disk keeps. */
export async function fastFolder(): Promise<string> {
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'skep-races-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const open = (backend: Backend): Promise<Repository> => openOnBackend(backend);

export function ownerOf(run: string): { run: string; host: string; pid: number } {
  return { run, host: 'h', pid: 1 };
}

/** What a backup does, a call at a time. */
export class Writer {
  readonly run = nextBackupId();
  readonly #repository: Repository;
  readonly #backend: Backend;
  lease!: Lease;

  constructor(backend: Backend, repository: Repository) {
    this.#backend = backend;
    this.#repository = repository;
  }

  static async on(backend: Backend): Promise<Writer> {
    return new Writer(backend, await open(backend));
  }

  async begin(): Promise<this> {
    this.lease = await acquireLease(this.#backend, 'write', ownerOf(this.run));
    onTestFinished(() => this.lease.leave());
    return this;
  }

  /** Stores contents, under their own text as path, and returns the part of a manifest. */
  async store(contents: readonly string[]): Promise<Manifest['parts'][number]> {
    const writer = this.#repository.objectWriter({ run: this.run, writer: 'n1' });
    const entries = [];
    for (const text of [...contents].sort()) entries.push(fileEntry(text, await writer.putBytes(Buffer.from(text))));
    const ref = await this.#repository.writeListing(entries, writer);
    await writer.close();
    return { node: 'n1', store: 'files', ...ref, newBytes: writer.totals.newBytes };
  }

  async publish(
    part: Manifest['parts'][number],
    of: { cutMicros?: string } = {},
    options: { lockMs?: number } = {},
  ): Promise<Manifest> {
    const at = new Date(Date.UTC(2026, 0, 1)).toISOString();
    const times = { startedAt: at, finishedAt: at, consistency: 'cut', cutMicros: '1767225600000001' } as const;
    const draft = { id: this.run, ...times, ...of, parts: [part], details: {} };
    return this.#repository.publish(draft, { lease: this.lease, ...options });
  }

  async end(): Promise<void> {
    await this.#repository.discardRun(this.run);
    await this.lease.release();
  }

  /** A whole backup. */
  static async backUp(backend: Backend, contents: readonly string[]): Promise<Manifest> {
    const writer = await (await Writer.on(backend)).begin();
    try {
      return await writer.publish(await writer.store(contents));
    } finally {
      await writer.end();
    }
  }
}

/** As `forget` does it. */
export async function dropManifest(backend: Backend, id: string): Promise<void> {
  for (const key of [publishedKey(id), manifestCopyKey(id), manifestKey(id)]) await backend.delete(key);
}

export function pruneOn(backend: Backend, options: Partial<PruneOptions> = {}) {
  return prune({ backend, keyring: UNSEALED }, { owner: ownerOf(nextBackupId()), pollMs: 2, ...options });
}

/** Keys of all objects. */
export async function objectsOf(backend: Backend): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list('objects/')) keys.push(key);
  return keys.sort();
}

/** Whether every stored byte of every backup is there. */
export async function isWhole(backend: Backend): Promise<boolean> {
  return (await (await open(backend)).verify({ level: 'data' })).ok;
}

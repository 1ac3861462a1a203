import { link, opendir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { SkepError } from '../errors.ts';
import type { Progress } from '../protocol/methods.ts';
import { contentHash, encodingOf, type FileEntry, isHalfWritten, type Repository } from '../repository/index.ts';
import { sha256File } from '../drivers/files/hash-file.ts';
import { giveTo, makeFolder, type Owner, ownerToGive } from './owner.ts';

const PARALLEL = 4;

/** A file to be laid out: where it goes, and where the same content may be found already. */
export interface Layout {
  entry: FileEntry;
  to: string;
  reuse?: readonly string[];
}

/**
 * Lays files out from a repository. A file that is there already, or was set aside, with the same content is kept or
 * linked; so this may be repeated after an interruption. All belongs to the owner of the first of `roots`, and everything
 * below them has reached the disk when it resolves.
 */
export async function layOut(
  repository: Repository,
  files: AsyncIterable<Layout>,
  opts: { roots: readonly string[]; signal: AbortSignal; progress: (p: Progress) => void },
): Promise<{ files: number; bytes: number; reused: number }> {
  const total = { files: 0, bytes: 0, reused: 0 };
  const failed = new AbortController();
  const signal = AbortSignal.any([opts.signal, failed.signal]);
  const owner = await ownerToGive(opts.roots[0] as string);
  for (const root of opts.roots) await makeFolder(root, owner);
  const folders = new Map<string, Promise<void>>();
  const ready = (folder: string) => {
    const making = folders.get(folder) ?? makeReady(folder, owner);
    folders.set(folder, making);
    return making;
  };
  let last = 0;
  const iterator = files[Symbol.asyncIterator]();
  const worker = async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      signal.throwIfAborted();
      const { entry, to, reuse = [] } = next.value;
      await ready(dirname(to));
      if (await place(repository, entry, to, reuse, signal)) total.reused++;
      await giveTo(owner, to);
      total.files++;
      total.bytes += entry.size;
      if (Date.now() - last > 250) {
        last = Date.now();
        opts.progress({ files: total.files, bytes: total.bytes });
      }
    }
  };
  const workers = Array.from({ length: PARALLEL }, worker);
  for (const w of workers) w.catch((e) => failed.abort(e));
  await Promise.allSettled(workers);
  failed.signal.throwIfAborted();
  for (const root of opts.roots) await syncFilesystem(root);
  return total;
}

/** True when the content was on this node already. */
async function place(
  repository: Repository,
  entry: FileEntry,
  to: string,
  reuse: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  if (await holds(to, entry, signal)) return true;
  for (const path of reuse) {
    if (!(await holds(path, entry, signal))) continue;
    await rm(to, { force: true });
    await link(path, to);
    return true;
  }
  await repository.extract(entry.object, to, {
    signal,
    prefer: encodingOf(entry),
    ...(entry.mode === undefined ? {} : { mode: entry.mode }),
  });
  return false;
}

/** Makes a folder; what an interrupted run has left there half written, as large as any file, is removed. */
async function makeReady(folder: string, owner: Owner | undefined): Promise<void> {
  await makeFolder(folder, owner);
  for await (const e of await opendir(folder)) {
    if (isHalfWritten(e.name)) await rm(join(folder, e.name), { force: true });
  }
}

/** `sync -f`: one call for everything that was written to the filesystem of `path`. */
export async function syncFilesystem(path: string): Promise<void> {
  const r = await execa('sync', ['-f', path], { reject: false, stdin: 'ignore' });
  if (r.exitCode !== 0) throw new SkepError('command-failed', `cannot sync ${path}: ${r.stderr}`);
}

async function holds(path: string, entry: FileEntry, signal: AbortSignal): Promise<boolean> {
  const s = await stat(path).catch(() => undefined);
  return s?.size === entry.size && (await sha256File(path, signal)) === contentHash(entry);
}

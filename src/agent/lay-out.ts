import { link, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { SkepError } from '../errors.ts';
import type { Progress } from '../protocol/methods.ts';
import type { FileEntry, Repository } from '../repository/index.ts';
import { sha256File } from './hash-file.ts';

const PARALLEL = 4;

/** A file to be laid out: where it goes, and where the same content may be found already. */
export interface Layout {
  entry: FileEntry;
  to: string;
  reuse?: string;
}

/**
 * Lays files out from a repository. A file that is there already, or was set aside, with the same content is kept or
 * linked; so this may be repeated after an interruption. Everything has reached the disk when it resolves.
 */
export async function layOut(
  repository: Repository,
  files: AsyncIterable<Layout> | Iterable<Layout>,
  opts: { root: string; signal: AbortSignal; progress: (p: Progress) => void },
): Promise<{ files: number; bytes: number; reused: number }> {
  const total = { files: 0, bytes: 0, reused: 0 };
  const folders = new Set<string>();
  let last = 0;
  const iterator = (Symbol.asyncIterator in files ? files : toAsync(files))[Symbol.asyncIterator]();
  const worker = async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      opts.signal.throwIfAborted();
      const { entry, to, reuse } = next.value;
      const folder = dirname(to);
      if (!folders.has(folder)) {
        await mkdir(folder, { recursive: true });
        folders.add(folder);
      }
      if (await holds(to, entry, opts.signal)) total.reused++;
      else if (reuse && (await holds(reuse, entry, opts.signal))) {
        await link(reuse, to);
        total.reused++;
      } else {
        await repository.extract(entry.object, to, {
          signal: opts.signal,
          ...(entry.mode === undefined ? {} : { mode: entry.mode }),
        });
      }
      total.files++;
      total.bytes += entry.size;
      if (Date.now() - last > 250) {
        last = Date.now();
        opts.progress({ files: total.files, bytes: total.bytes });
      }
    }
  };
  await mkdir(opts.root, { recursive: true });
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  await syncFilesystem(opts.root);
  return total;
}

/** `sync -f`: one call for everything that was written to the filesystem of `path`. */
export async function syncFilesystem(path: string): Promise<void> {
  const r = await execa('sync', ['-f', path], { reject: false, stdin: 'ignore' });
  if (r.exitCode !== 0) throw new SkepError('command-failed', `cannot sync ${path}: ${r.stderr}`);
}

async function holds(path: string, entry: FileEntry, signal: AbortSignal): Promise<boolean> {
  const s = await stat(path).catch(() => undefined);
  return s?.size === entry.size && (await sha256File(path, signal)) === entry.object;
}

async function* toAsync<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

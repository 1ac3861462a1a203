import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type PinnedBytes, writeReplay } from '../../cut/segment-evidence.ts';
import { SkepError } from '../../errors.ts';
import type { Parsed } from '../../protocol/methods.ts';
import { type FileEntry, openRepository, type Repository } from '../../repository/index.ts';
import type { MethodHandlers } from '../handlers.ts';
import { type Layout, layOut, syncFilesystem } from '../lay-out.ts';

export const restoreHandlers = {
  async 'restore.aside'(p) {
    let moved = 0;
    for (const m of p.moves) {
      const names = await readdir(m.from).catch((e) => {
        if (e.code === 'ENOENT') return [] as string[];
        throw e;
      });
      const keep = new Set(m.keep);
      const moving = names.filter((n) => !keep.has(n));
      if (moving.length === 0) continue;
      await mkdir(m.to, { recursive: true });
      for (const name of moving) {
        await moveAside(join(m.from, name), join(m.to, name));
        moved++;
      }
      await syncFilesystem(m.to);
    }
    return { moved };
  },

  async 'restore.tree'(p, { signal, progress }) {
    const repository = await openRepository(p.repository);
    const files = layouts(repository, p.listing.root, p.prefix, (path) => ({
      to: join(p.to, path),
      ...(p.reuse ? { reuse: join(p.reuse, path) } : {}),
    }));
    return layOut(repository, files, { root: p.to, signal, progress });
  },

  async 'restore.sstables'(p, { signal, progress }) {
    const repository = await openRepository(p.repository);
    const files = layouts(repository, p.listing.root, 'sstables/', (path) => {
      const [, id, rest] = /^[^/]*-([0-9a-f]{32})\/(.+)$/.exec(path) ?? [];
      const table = id === undefined ? undefined : p.tables[id];
      if (!table || !rest) {
        throw new SkepError('manifest-damaged', `the listing has ${path}, which belongs to no table of the backup`);
      }
      return { to: join(table.to, rest), ...(table.reuse ? { reuse: join(table.reuse, rest) } : {}) };
    });
    const first = Object.values(p.tables)[0];
    if (!first) return { files: 0, bytes: 0, reused: 0 };
    for (const t of Object.values(p.tables)) await mkdir(t.to, { recursive: true });
    return layOut(repository, files, { root: dirname(first.to), signal, progress });
  },

  async 'restore.segments'(p, { signal }) {
    const result = await writeReplay(await buildReplaySources(p), { ...p, folder: p.to }, signal);
    await syncFilesystem(p.to);
    return result;
  },

  async 'restore.remove'(p) {
    for (const folder of p.folders) await rm(folder, { recursive: true, force: true });
    return null;
  },
} satisfies Partial<MethodHandlers>;

/** The pinned segments of a listing, as the filter reads them. */
export async function buildReplaySources(
  p: Pick<Parsed<'restore.segments'>, 'repository' | 'listing'>,
): Promise<PinnedBytes[]> {
  const repository = await openRepository(p.repository);
  const segments: PinnedBytes[] = [];
  for await (const { entry, to: name } of layouts(repository, p.listing.root, 'commitlog/', (to) => ({ to }))) {
    segments.push({ name, bytes: entry.size, open: () => repository.readObject(entry.object) });
  }
  return segments;
}

/** The files of a listing below `prefix`, each with its place. */
async function* layouts(
  repository: Repository,
  root: string,
  prefix: string,
  place: (path: string) => Omit<Layout, 'entry'>,
): AsyncGenerator<Layout> {
  for await (const e of repository.readListing({ root })) {
    if (e.linkTo !== undefined || !e.path.startsWith(prefix)) continue;
    yield { entry: e satisfies FileEntry, ...place(e.path.slice(prefix.length)) };
  }
}

async function moveAside(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    if (code === 'EXDEV') {
      throw new SkepError('restore-failed', `cannot set ${from} aside: ${to} is on another filesystem`, {
        hint: 'Set `restore.undo_folder` to a folder on the filesystem of the data, then run the same `skep restore`.',
      });
    }
    throw e;
  }
}

import { lstat, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesIn } from '../../cut/names-in.ts';
import { ownFolder } from '../../cut/own-folder.ts';
import { type PinnedBytes, writeReplay } from '../../cut/segment-evidence.ts';
import { SkepError } from '../../errors.ts';
import type { Parsed } from '../../protocol/methods.ts';
import { encodingOf, type FileEntry, openRepository, type Repository } from '../../repository/index.ts';
import type { MethodHandlers } from '../handlers.ts';
import { openBucket } from '../../drivers/files/attachment-store.ts';
import { type Layout, layOut, syncFilesystem } from '../lay-out.ts';
import { layOutObjects } from '../lay-out-objects.ts';
import { giveTo, makeFolder, ownerToGive } from '../owner.ts';

/** The folder in which the state before a restore is kept. */
const UNDO = 'skep-undo';

export const restoreHandlers = {
  async 'restore.places'(p) {
    const undo: string[] = [];
    for (const folder of p.folders) undo.push(await undoRoot(folder, p.base));
    return { undo };
  },

  async 'restore.aside'(p) {
    let moved = 0;
    for (const m of p.moves) {
      const keep = new Set(m.keep);
      const moving = (await namesIn(m.from)).filter((n) => !keep.has(n));
      for (const name of moving) await moveAside(join(m.from, name), m.to, name);
      moved += moving.length;
      if (moving.length > 0) await syncFilesystem(m.from);
    }
    return { moved };
  },

  async 'restore.tree'(p, { signal, progress }) {
    const repository = await openRepository(p.repository);
    const files = layouts(repository, p.listing.root, p.prefix, (path) => ({
      to: join(p.to, path),
      ...(p.reuse ? { reuse: [join(p.reuse, path)] } : {}),
    }));
    return layOut(repository, files, { roots: [p.to], signal, progress });
  },

  async 'restore.objects'(p, { signal, progress }) {
    const repository = await openRepository(p.repository);
    const to = { bucket: openBucket(p.to), aside: p.aside };
    return layOutObjects(repository, p.listing.root, to, { signal, progress });
  },

  async 'restore.sstables'(p, { signal, progress }) {
    const repository = await openRepository(p.repository);
    const files = layouts(repository, p.listing.root, 'sstables/', (path) => {
      const [, id, rest] = /^[^/]*-([0-9a-f]{32})\/(.+)$/.exec(path) ?? [];
      const table = id === undefined ? undefined : p.tables[id];
      if (!table || !rest) {
        throw new SkepError('manifest-damaged', `the listing has ${path}, which belongs to no table of the backup`);
      }
      return { to: join(folderFor(rest, table.to), rest), reuse: table.reuse.map((folder) => join(folder, rest)) };
    });
    const roots = [...new Set(Object.values(p.tables).flatMap((t) => t.to))];
    return layOut(repository, files, { roots, signal, progress });
  },

  async 'restore.segments'(p, { signal }) {
    const result = await writeReplay(await buildReplaySources(p), { ...p, folder: p.to }, signal);
    const owner = await ownerToGive(p.to);
    for (const name of result.written) await giveTo(owner, join(p.to, name));
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
    segments.push({
      name,
      bytes: entry.size,
      open: () => repository.readObject(entry.object, { prefer: encodingOf(entry) }),
    });
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

/** Below `base`, which must be on the folder's filesystem, or near the folder. */
async function undoRoot(folder: string, base: string | undefined): Promise<string> {
  const there = await nearest(folder);
  if (base !== undefined) {
    const [a, b] = await Promise.all([stat(there), stat(await nearest(base))]);
    if (a.dev === b.dev) return base;
    throw new SkepError('config-invalid', `restore.undo_folder ${base} is not on the filesystem of ${folder}`, {
      hint: 'Leave `restore.undo_folder` out: the previous state is then kept beside each folder.',
    });
  }
  const root = there === folder ? await ownFolder(folder, UNDO) : join(there, UNDO);
  // Cassandra looks at every SSTable below a data folder when it starts, but not into folders of this name.
  return dirname(root) === folder ? join(root, 'backups') : root;
}

/** The folder itself, or the first one above it that is there. */
async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if (at === '/' || (await stat(at).catch(() => undefined))) return at;
  }
}

/** All components of an SSTable have the same folder, also when they are laid out again. */
function folderFor(path: string, folders: readonly string[]): string {
  const sstable = path.replace(/[^/]*$/, (name) => name.split('-').slice(0, 3).join('-'));
  let n = 0;
  for (const ch of sstable) n = (n * 31 + (ch.codePointAt(0) as number)) % 1_000_003;
  return folders[n % folders.length] as string;
}

/** What was set aside before keeps its place: a server that was started meanwhile makes files of the same names anew. */
async function moveAside(from: string, folder: string, name: string): Promise<void> {
  let to = folder;
  for (let n = 2; await lstat(join(to, name)).catch(() => undefined); n++) to = `${folder}.${n}`;
  await makeFolder(to, await ownerToGive(dirname(from)));
  try {
    await rename(from, join(to, name));
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

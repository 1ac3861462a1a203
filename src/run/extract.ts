import { mkdir, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { destinationError, encodingOf, type ManifestPart, newBackupId, type Repository } from '../repository/index.ts';
import { type ReadKeys, readAccessTo } from './access-to.ts';
import { contained } from './contained.ts';
import { resolveId } from './inspect.ts';
import { openOwnRepository } from './open-repository.ts';

export interface ExtractOptions {
  id: string;
  store: string;
  /** Only of this node; of all that have the store when absent, each in a folder of its name. */
  node?: string;
  /** Only what is below this path of the listing, or is it. */
  below?: string;
  /** An absolute path; it must not be there, or be empty. */
  to: string;
  keys?: ReadKeys;
  signal: AbortSignal;
  emit: Emit;
}

/**
 * Lays out what a backup holds of one store in a folder of this machine, changing nothing on the cluster. Every content is
 * checked while it is read. Where it fails, what was laid out until then stays. Errors: `backup-unknown`, `key-missing`,
 * `usage`, `no-space`, `restore-failed` (the folder cannot be written), `object-damaged` (it would leave the folder), those of reading.
 */
export async function extract(cluster: ClusterConfig, o: ExtractOptions): Promise<{ files: number; bytes: number }> {
  const repository = await openOwnRepository(cluster, await readAccessTo(cluster, o.keys));
  if (!repository.opens) {
    const hint = 'Give `--identity FILE`, or name it under `repository.sealing.identity` in skep.yaml.';
    throw new SkepError('key-missing', 'the repository is sealed, and no identity was given', { hint });
  }
  const id = await resolveId(cluster, o.id);
  const parts = choose((await repository.readManifest(id)).parts, { ...o, id });
  await requireEmpty(o.to);
  const owner = { run: newBackupId(), host: hostname(), pid: process.pid };
  const lease = await repository.acquireLease('read', owner, { backups: [id] }).catch((e: unknown) => {
    // A place that can only be read is no reason not to read it.
    const text = `no lease could be taken, so a prune may take away what is being read: ${toSkepError(e).message}`;
    o.emit({ type: 'warning', text });
  });
  const total = { files: 0, bytes: 0 };
  try {
    for (const part of parts) {
      const to = o.node === undefined ? contained(o.to, part.node) : o.to;
      await layOut(repository, part, to, { ...o, total });
    }
  } finally {
    await lease?.release();
  }
  if (total.files > 0) return total;
  throw new SkepError('usage', `there is nothing below ${o.below ?? '/'} in ${o.store} of ${id}`, {
    hint: 'Leave out `--below` to get all of it.',
  });
}

function choose(parts: readonly ManifestPart[], o: ExtractOptions): ManifestPart[] {
  const found = parts.filter((p) => p.store === o.store && (o.node === undefined || p.node === o.node));
  if (found.length > 0) return found;
  const there = parts.map((p) => `${p.node}/${p.store}`).join(', ');
  throw new SkepError('usage', `${o.id} has no ${o.store}${o.node === undefined ? '' : ` of ${o.node}`}`, {
    hint: `It has ${there}.`,
  });
}

async function requireEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return [];
    throw new SkepError('usage', `${folder} is not a folder that can be used: ${e.code}`, { cause: e });
  });
  if (names.length === 0) return;
  throw new SkepError('usage', `${folder} is not empty`, { hint: 'Name a folder that is empty, or not there yet.' });
}

async function layOut(
  repository: Repository,
  part: ManifestPart,
  to: string,
  o: Pick<ExtractOptions, 'below' | 'signal' | 'emit' | 'store'> & { total: { files: number; bytes: number } },
): Promise<void> {
  const { total, signal } = o;
  const below = o.below?.replace(/^\/+|\/+$/g, '');
  let told = 0;
  for await (const entry of repository.readListing({ root: part.root })) {
    signal.throwIfAborted();
    if (entry.linkTo !== undefined) continue;
    if (below !== undefined && entry.path !== below && !entry.path.startsWith(`${below}/`)) continue;
    const mode = entry.mode === undefined ? {} : { mode: entry.mode };
    const file = contained(to, entry.path);
    await mkdir(dirname(file), { recursive: true }).catch((e: unknown) => {
      throw destinationError(e, file);
    });
    await repository.extract(entry.object, file, { signal, prefer: encodingOf(entry), ...mode });
    total.files++;
    total.bytes += entry.size;
    if (Date.now() - told < 250) continue;
    told = Date.now();
    o.emit({ type: 'progress', node: part.node, store: o.store, stage: 'extract', ...total });
  }
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../compare.ts';
import { equalSizes, makeAttachments, mixedSizes } from '../data/attachments.ts';
import { makeSnapshot } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timedProduct, timedShell, warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { backUp, type BenchRepository, footprint, initRaw, type Source } from './product-runs.ts';

const CP = 'cp -r --reflink=never "$1" "$2" && sync';
const SETTINGS = 'skep: unsealed, compression off, durable when it ends; peer: `cp -r --reflink=never`, then `sync`';

/** The first backup of 2 GB, three quarters of it SSTables, over a copy of the same files. */
export async function* fullVsCp(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const source = makeNode(join(folder, 'source'), o);
    return firstBackupVsCp(folder, source, { bench: 'full_vs_cp', bar: 1.3, turns: o.turns });
  });
}

/** The first backup of 200,000 attachments of 4 KB over a copy of the same files. */
export async function* smallFilesVsCp(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const attachments = join(folder, 'source', 'files');
    makeAttachments(attachments, equalSizes(Math.round(200_000 * o.scale), 4096));
    return firstBackupVsCp(folder, { attachments }, { bench: 'small_files_vs_cp', bar: 2, turns: o.turns });
  });
}

/** Laying out a backup of 2 GB, each content checked, over a copy of the same files. */
export async function* restoreVsCp(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const source = makeNode(join(folder, 'source'), o);
    const repository = await initRaw(folder, 'repository');
    await backUp(repository, source);
    const { tables } = source.cassandra;
    const [laidOut, copied] = [join(folder, 'restored'), join(folder, 'copied')];
    return compare({
      bench: 'restore_vs_cp',
      bar: 1.3,
      turns: o.turns,
      ours: () => timedProduct<{ rss_mb: number }>('restore', { access: repository.access, to: laidOut, tables }),
      peer: () => timedShell(CP, [join(folder, 'source'), copied]),
      between: async () => {
        await rm(laidOut, { recursive: true, force: true });
        await rm(copied, { recursive: true, force: true });
      },
      more: (runs) => ({ settings: SETTINGS, caches: 'warm', rss_mb: Math.max(...runs.map((r) => r.result.rss_mb)) }),
    });
  });
}

/** About 2 GB: a snapshot of three tables, and attachments of 4 KiB to 4 MiB. */
export function makeNode(folder: string, o: RowOptions): Required<Source> {
  const total = 2e9 * o.scale;
  const attachments = join(folder, 'files');
  makeAttachments(attachments, mixedSizes(total / 4));
  return { attachments, cassandra: makeSnapshot(folder, total * 0.75) };
}

async function firstBackupVsCp(
  folder: string,
  source: Source,
  row: { bench: string; bar: number; turns: number },
): Promise<Row> {
  const copied = join(folder, 'copied');
  let repository: BenchRepository;
  return compare({
    ...row,
    ours: () => backUp(repository, source),
    peer: () => timedShell(CP, [join(folder, 'source'), copied]),
    between: async () => {
      for (const made of ['repository', 'copied']) await rm(join(folder, made), { recursive: true, force: true });
      repository = await initRaw(folder, 'repository');
      await warm(join(folder, 'source'));
    },
    more: (runs) => ({ settings: SETTINGS, caches: 'warm', ...footprint(runs) }),
  });
}

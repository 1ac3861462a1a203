import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../compare.ts';
import { equalSizes, makeAttachments, mixedSizes } from '../data/attachments.ts';
import { makeSnapshot } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timedProduct, timedShell } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { backUp, footprint, initRaw, type Source } from './product-runs.ts';

const CP = 'cp -r --reflink=never "$1" "$2" && sync';

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
    const access = await initRaw(folder, 'repository');
    await backUp(access, source);
    const { tables } = source.cassandra;
    const [laidOut, copied] = [join(folder, 'restored'), join(folder, 'copied')];
    return compare({
      bench: 'restore_vs_cp',
      bar: 1.3,
      turns: o.turns,
      ours: () => timedProduct<{ rss_mb: number }>('restore.ts', { access, to: laidOut, tables }),
      peer: () => timedShell(CP, join(folder, 'source'), copied),
      between: async () => {
        await rm(laidOut, { recursive: true, force: true });
        await rm(copied, { recursive: true, force: true });
      },
      more: (runs) => ({ caches: 'warm', rss_mb: Math.max(...runs.map((r) => r.result.rss_mb)) }),
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
  let access = { location: join(folder, 'repository') };
  return compare({
    ...row,
    ours: () => backUp(access, source),
    peer: () => timedShell(CP, join(folder, 'source'), copied),
    between: async () => {
      await rm(access.location, { recursive: true, force: true });
      await rm(copied, { recursive: true, force: true });
      await mkdir(access.location);
      access = await initRaw(folder, 'repository');
      // What was just written is in the cache, and stays there: both read a warm source.
      await timedShell('find "$1" -type f -exec cat {} + >/dev/null', join(folder, 'source'));
    },
    more: (runs) => ({ caches: 'warm', ...footprint(runs) }),
  });
}

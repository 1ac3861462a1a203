import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../compare.ts';
import { equalSizes, makeAttachments } from '../data/attachments.ts';
import { snapshotAgain } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import { ensureRestic, resticIn } from '../peers/restic.ts';
import type { Row } from '../row.ts';
import { warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { makeNode } from './files-vs-cp.ts';
import { backUp, type BenchRepository, footprint, initRaw } from './product-runs.ts';

const SETTINGS =
  'both as they come: restic with compression auto, and it always seals; skep with compression auto, unsealed';

/** The first backup of 2 GB over Debian's restic. */
export async function* fullVsRestic(o: RowOptions): AsyncGenerator<Row> {
  const peer = await ensureRestic();
  yield await withFolder(async (folder) => {
    const data = join(folder, 'source');
    const source = makeNode(data, o);
    const restic = resticIn(folder);
    let repository: BenchRepository;
    return compare({
      bench: 'full_vs_restic',
      bar: 0.25,
      turns: o.turns,
      ours: () => backUp(repository, source, 'auto'),
      peer: () => restic('backup', '--quiet', data),
      between: async () => {
        for (const made of ['repository', 'restic']) await rm(join(folder, made), { recursive: true, force: true });
        repository = await initRaw(folder, 'repository');
        await restic('init', '--quiet');
        await warm(data);
      },
      more: (runs) => ({ peer, settings: SETTINGS, caches: 'warm', ...footprint(runs) }),
    });
  });
}

/** A later backup: a new snapshot of the same SSTables, as each backup makes one, and 1 MB of new attachments. */
export async function* rerunVsRestic(o: RowOptions): AsyncGenerator<Row> {
  const peer = await ensureRestic();
  yield await withFolder(async (folder) => {
    const data = join(folder, 'source');
    const { attachments, cassandra } = makeNode(data, o);
    let source = { attachments, cassandra };
    const restic = resticIn(folder);
    const repository = await initRaw(folder, 'repository');
    await restic('init', '--quiet');
    await restic('backup', '--quiet', data);
    await backUp(repository, source, 'auto');
    let tags = 0;
    return compare({
      bench: 'rerun_vs_restic',
      bar: 0.1,
      turns: o.turns,
      ours: () => backUp(repository, source, 'auto'),
      peer: () => restic('backup', '--quiet', data),
      between: async () => {
        source = { attachments, cassandra: snapshotAgain(source.cassandra, `bench-${tags++}`) };
        makeAttachments(attachments, equalSizes(10, 100_000));
      },
      more: (runs) => ({ peer, settings: SETTINGS, caches: 'warm', ...footprint(runs) }),
    });
  });
}

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../compare.ts';
import { equalSizes, makeAttachments } from '../data/attachments.ts';
import { snapshotAgain } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timed, timedShell } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { makeNode } from './files-vs-cp.ts';
import { backUp, footprint, initRaw } from './product-runs.ts';

const SETTINGS = 'restic: defaults (format 2, compression auto, always encrypted); skep: unsealed, compression off';

/** The first backup of 2 GB over Debian's restic. */
export async function* fullVsRestic(o: RowOptions): AsyncGenerator<Row> {
  const settings = await aboutPeer();
  yield await withFolder(async (folder) => {
    const data = join(folder, 'source');
    const source = makeNode(data, o);
    const theirs = join(folder, 'restic');
    const restic = resticIn(folder, theirs);
    let access = { location: join(folder, 'repository') };
    return compare({
      bench: 'full_vs_restic',
      bar: 0.25,
      turns: o.turns,
      ours: () => backUp(access, source),
      peer: () => restic('backup', '--quiet', data),
      between: async () => {
        for (const repository of [access.location, theirs]) await rm(repository, { recursive: true, force: true });
        await mkdir(access.location);
        access = await initRaw(folder, 'repository');
        await restic('init', '--quiet');
        await timedShell('find "$1" -type f -exec cat {} + >/dev/null', data);
      },
      more: (runs) => ({ ...settings, ...footprint(runs) }),
    });
  });
}

/** A later backup: a new snapshot of the same SSTables, as each backup makes one, and 1 MB of new attachments. */
export async function* rerunVsRestic(o: RowOptions): AsyncGenerator<Row> {
  const settings = await aboutPeer();
  yield await withFolder(async (folder) => {
    const data = join(folder, 'source');
    const { attachments, cassandra } = makeNode(data, o);
    let source = { attachments, cassandra };
    const restic = resticIn(folder, join(folder, 'restic'));
    const access = await initRaw(folder, 'repository');
    await restic('init', '--quiet');
    await restic('backup', '--quiet', data);
    await backUp(access, source);
    let tags = 0;
    return compare({
      bench: 'rerun_vs_restic',
      bar: 0.1,
      turns: o.turns,
      ours: () => backUp(access, source),
      peer: () => restic('backup', '--quiet', data),
      between: async () => {
        source = { attachments, cassandra: snapshotAgain(source.cassandra, `bench-${tags++}`) };
        makeAttachments(attachments, equalSizes(10, 100_000));
      },
      more: (runs) => ({ ...settings, ...footprint(runs) }),
    });
  });
}

async function aboutPeer(): Promise<Record<string, unknown>> {
  const [version] = (await timed(['restic', 'version'])).stdout.split(' compiled');
  return { peer: version, settings: SETTINGS, caches: 'warm' };
}

function resticIn(folder: string, repository: string) {
  const env = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
  };
  return (...args: string[]) => timed(['restic', ...args], env);
}

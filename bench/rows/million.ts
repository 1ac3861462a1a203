import { join } from 'node:path';
import { compare } from '../compare.ts';
import { equalSizes, makeAttachments } from '../data/attachments.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timedShell } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { backUp, footprint, initRaw } from './product-runs.ts';

const FIND = `find "$1" -printf '%p %s %T@ %i\\n' >/dev/null`;
const NEW = 100;
const SIZE = 1000;

/** A backup of 1,000,000 attachments of which 100 are new, over a `find` that looks at each of them. */
export async function* millionRerunVsFind(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const attachments = join(folder, 'files');
    makeAttachments(attachments, equalSizes(Math.round(1_000_000 * o.scale), SIZE));
    const repository = await initRaw(folder, 'repository');
    const first = await backUp(repository, { attachments });
    await timedShell(FIND, [attachments]);
    return compare({
      bench: 'million_rerun_vs_find',
      bar: 2,
      turns: o.turns,
      ours: () => backUp(repository, { attachments }),
      peer: () => timedShell(FIND, [attachments]),
      between: async () => void makeAttachments(attachments, equalSizes(NEW / 2, SIZE)),
      more: (runs) => ({
        settings: 'peer: `find -printf` of path, size, time and inode',
        caches: 'warm',
        ...footprint(runs),
        files: runs.at(-1)?.result.files,
        first_s: first.seconds,
        first_rss_mb: first.result.rss_mb,
      }),
    });
  });
}

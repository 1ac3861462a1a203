import { join } from 'node:path';
import { runTool } from '../../lab/ground/run-tool.ts';
import { VERSION } from '../../src/version.ts';
import { compare } from '../compare.ts';
import type { RowOptions } from '../options.ts';
import { round, type Row } from '../row.ts';
import { timed } from '../timed.ts';
import { withFolder } from '../work-folder.ts';

const DIST = join(import.meta.dirname, '..', '..', 'tools', 'dist.ts');
/** A start is short, and whatever else runs disturbs it. */
const TURNS = 15;
/** How much longer than plain Node the executable may take, in ms. */
const OVER_MS = 150;

/** The single executable's start and end, over that of the Node that it is made of with nothing to do. */
export async function* startVsNode(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    await runTool([process.execPath, DIST, '--arch', process.arch, '--to', folder]);
    const skep = [join(folder, `skep-${VERSION}-linux-${process.arch}`), '--version'];
    // Its cache is the row's own: what the user's holds is of no interest, and not to be lost.
    const ours = () => timed(skep, { env: { XDG_CACHE_HOME: join(folder, 'cache') } });
    await ours();
    const row = await compare({
      bench: 'start_vs_node',
      turns: Math.max(TURNS, o.turns),
      ours,
      peer: () => timed([process.execPath, '-e', '0']),
      more: () => ({
        settings: '`skep --version` of the single executable, its compiled code kept; peer: `node -e 0`',
      }),
    });
    return { ...row, over_ms: round((row.ours_s - row.peer_s) * 1000), over_bar_ms: OVER_MS };
  });
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from '../compare.ts';
import { withFilledNode } from '../data/lab-node.ts';
import type { RowOptions } from '../options.ts';
import { ensureMedusa, MEDUSA, medusaOn } from '../peers/medusa.ts';
import { median, round, type Row } from '../row.ts';
import { warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { backUp, type BackupRun, type BenchRepository, footprint, initRaw } from './product-runs.ts';

const MORE = {
  peer: MEDUSA,
  settings:
    'one node of the lab, snapshot by nodetool and its clearing included; medusa: local storage, differential mode, then `sync`; skep: compression auto, unsealed, the keyspace with its commit log, without the waiting for `T`',
  caches: 'warm',
};

/** The first backup of a Cassandra node with 2 GB over cassandra-medusa. */
export async function* fullVsMedusa(o: RowOptions): AsyncGenerator<Row> {
  await ensureMedusa();
  yield await withFolder((folder) =>
    withFilledNode(folder, 2e9 * o.scale, async ({ lab, node, source }) => {
      const medusa = await medusaOn(lab.record, node, folder);
      let repository: BenchRepository;
      return compare({
        bench: 'full_vs_medusa',
        bar: 0.25,
        turns: o.turns,
        ours: (turn) => backUp(repository, { cassandra: { ...source, tag: `bench-${turn}` } }, 'auto'),
        peer: (turn) => medusa.backUp(`full-${turn}`),
        between: async () => {
          for (const made of ['repository', 'medusa']) await rm(join(folder, made), { recursive: true, force: true });
          repository = await initRaw(folder, 'repository');
          await warm(node.record.cassandra.data);
        },
        more: (runs) => ({ ...MORE, ...footprint(runs), ...nodetoolOf(runs) }),
      });
    }),
  );
}

/** How much of our time was two starts of nodetool, which no backup of Cassandra can do without. */
function nodetoolOf(runs: readonly BackupRun[]): { ours_nodetool_s: number } {
  return { ours_nodetool_s: round(median(runs.map((r) => r.result.nodetool_s))) };
}

/** A later backup of the same node, with 1 MB of new SSTables. */
export async function* rerunVsMedusa(o: RowOptions): AsyncGenerator<Row> {
  await ensureMedusa();
  yield await withFolder((folder) =>
    withFilledNode(folder, 2e9 * o.scale, async ({ lab, node, source, write }) => {
      const medusa = await medusaOn(lab.record, node, folder);
      const repository = await initRaw(folder, 'repository');
      const ours = (name: string) => backUp(repository, { cassandra: { ...source, tag: `bench-${name}` } }, 'auto');
      await ours('first');
      await medusa.backUp('first');
      return compare({
        bench: 'rerun_vs_medusa',
        bar: 0.25,
        turns: o.turns,
        ours: (turn) => ours(`${turn}`),
        peer: (turn) => medusa.backUp(`rerun-${turn}`),
        between: () => write(1e6),
        more: (runs) => ({ ...MORE, ...footprint(runs), ...nodetoolOf(runs) }),
      });
    }),
  );
}

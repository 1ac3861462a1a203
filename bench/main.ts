// `make bench`: each row on the same data in the same run as its peer; one NDJSON line a row.
// `make bench ARGS="full_vs_cp million_rerun_vs_find"` runs only these rows. Full-sized results go into docs/benchmarks.md.
import { keepRow, writePage } from './report.ts';
import { parseOptions, type RowOptions } from './options.ts';
import type { Row } from './row.ts';
import { commitlogFilter } from './rows/commitlog-filter.ts';
import { fullVsCp, restoreVsCp, smallFilesVsCp } from './rows/files-vs-cp.ts';
import { millionRerunVsFind } from './rows/million.ts';
import { fullVsMedusa, rerunVsMedusa } from './rows/medusa.ts';
import { orchestration100 } from './rows/orchestration.ts';
import { p99Ratio } from './rows/p99.ts';
import { relayVsSshCat } from './rows/relay.ts';
import { fullVsRestic, rerunVsRestic } from './rows/restic.ts';
import { s3VsRawPut } from './rows/s3.ts';
import { sealedVsRaw } from './rows/sealed.ts';
import { startVsNode } from './rows/start.ts';

const BENCHES: Record<string, (o: RowOptions) => AsyncGenerator<Row>> = {
  commitlog_filter: commitlogFilter,
  full_vs_cp: fullVsCp,
  small_files_vs_cp: smallFilesVsCp,
  million_rerun_vs_find: millionRerunVsFind,
  restore_vs_cp: restoreVsCp,
  full_vs_restic: fullVsRestic,
  rerun_vs_restic: rerunVsRestic,
  full_vs_medusa: fullVsMedusa,
  rerun_vs_medusa: rerunVsMedusa,
  sealed_vs_raw: sealedVsRaw,
  s3_vs_raw_put: s3VsRawPut,
  relay_vs_ssh_cat: relayVsSshCat,
  p99_ratio: p99Ratio,
  orchestration_100: orchestration100,
  start_vs_node: startVsNode,
};

const { named, ...options } = parseOptions();
const unknown = named.filter((name) => !(name in BENCHES));
if (unknown.length > 0)
  throw new Error(`no such row: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
for (const [name, run] of Object.entries(BENCHES)) {
  if (named.length > 0 && !named.includes(name)) continue;
  for await (const row of run(options)) {
    process.stdout.write(`${JSON.stringify(row)}\n`);
    if (options.scale === 1) await keepRow(row);
  }
}
if (options.scale === 1) await writePage();

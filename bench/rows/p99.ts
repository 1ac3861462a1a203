import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { labUp } from '../../lab/index.ts';
import { COMMITLOG_SYNC_MS } from '../../lab/nodes/cassandra-config.ts';
import { Trial } from '../../lab/scenarios/trial.ts';
import { freeShift } from '../../test/lab/support/free-shift.ts';
import type { RowOptions } from '../options.ts';
import { median, round, type Row } from '../row.ts';
import { withFolder } from '../work-folder.ts';

/** How long the writers go at full speed, to know what they can do; in ms. */
const FULL_MS = 30_000;
/** Part of it at which they go on. */
const SHARE = 0.4;
/** After a change of speed, and after a backup: what was queued must not count. */
const SETTLE_MS = 8_000;
/** How long nodes may hold pins or snapshots beyond linger and sync, in seconds. */
const HELD_BEYOND_S = 5;
/** What a backup may do to the p99 of live writes, over what as long a time without one shows. */
const BAR = 1.5;

/**
 * The p99 of live writes at a fixed rate while a backup is taken, over that of as long a time just before
 * (`p99_ratio`); and the same of a time without a backup (`p99_ratio_control`). Each turn has a time before, a control, a
 * backup. `held_vs_linger_and_sync`: how long the backups held something on the nodes, over what they have to.
 */
export async function* p99Ratio(o: RowOptions): AsyncGenerator<Row> {
  const windows = await withFolder(async (folder) => {
    const lab = await labUp({ root: join(folder, 'lab'), shift: await freeShift(), owner: process.pid });
    try {
      return await measure(new Trial(lab, { seed: 'p99', say: () => {} }), o);
    } finally {
      await lab.down();
    }
  });
  const of = (key: keyof Window): number => median(windows.turns.map((w) => w[key]));
  const shared = { n: o.turns, settings: `8 writers, ${round(windows.rate)} transactions a second`, caches: 'live' };
  const control = of('control') / of('before');
  yield {
    bench: 'p99_ratio_control',
    ratio: round(control),
    ours_s: round(of('control')),
    peer_s: round(of('before')),
    ...shared,
  };
  yield {
    bench: 'p99_ratio',
    ratio: round(of('during') / of('before')),
    ours_s: round(of('during')),
    peer_s: round(of('before')),
    bar: round(BAR * control),
    backup_s: round(of('seconds')),
    ...shared,
  };
  const due = of('due');
  yield {
    bench: 'held_vs_linger_and_sync',
    ratio: round(of('held') / due),
    ours_s: round(of('held')),
    peer_s: round(due),
    bar: round((due + HELD_BEYOND_S) / due),
    ...shared,
  };
}

/**
 * p99 in seconds; `seconds` is how long the backup took, `held` from its first pin until pins and snapshots were given back, `due` what of
 * that were linger and the wait for the commit logs' sync.
 */
interface Window {
  before: number;
  control: number;
  during: number;
  seconds: number;
  held: number;
  due: number;
}

async function measure(trial: Trial, o: RowOptions): Promise<{ rate: number; turns: Window[] }> {
  await trial.ensureRepository();
  const load = await trial.startLoad();
  const from = Date.now();
  await delay(FULL_MS);
  const full = await load.stats({ fromMs: from });
  const rate = Math.max(1, full.perSecond * SHARE);
  await load.setRate(rate);
  const p99 = async (window: { fromMs: number; toMs: number }): Promise<number> =>
    (await load.stats(window)).p99Ms / 1000;
  const quiet = async (ms: number): Promise<number> => {
    const fromMs = Date.now();
    await delay(ms);
    return p99({ fromMs, toMs: Date.now() });
  };
  const turns: Window[] = [];
  // The first backup stores all; it also tells how long the windows must be.
  let { seconds } = await trial.backup();
  for (let turn = 0; turn < o.turns; turn++) {
    await delay(SETTLE_MS);
    const before = await quiet(seconds * 1000);
    const control = await quiet(seconds * 1000);
    const backup = await trial.backup();
    const { fromMs, toMs } = backup;
    ({ seconds } = backup);
    const due = backup.lingerSeconds + COMMITLOG_SYNC_MS / 1000;
    turns.push({ before, control, during: await p99({ fromMs, toMs }), seconds, held: backup.heldMs / 1000, due });
  }
  await trial.stopLoad();
  return { rate, turns };
}

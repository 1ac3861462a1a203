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
/** How long nodes may hold pins and snapshots beyond linger and sync, in seconds. */
const HELD_BAR_S = 5;
/** What a backup may do to the p99 of live writes, over what as long a time without one shows. */
const BAR = 1.5;

/**
 * The p99 of live writes at a fixed rate while a backup is taken, over that of as long a time just before
 * (`p99_ratio`); and the same of a time without a backup (`p99_ratio_control`). Each turn has a time before, a control, a
 * backup.
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
    held_beyond_s: round(of('heldBeyond')),
    held_bar_s: HELD_BAR_S,
    ...shared,
  };
}

/** p99 in seconds; `seconds` is how long the backup took, `heldBeyond` how long nodes held something for it beyond linger and sync. */
interface Window {
  before: number;
  control: number;
  during: number;
  seconds: number;
  heldBeyond: number;
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
    const heldBeyond = (backup.heldMs - COMMITLOG_SYNC_MS) / 1000 - backup.lingerSeconds;
    turns.push({ before, control, during: await p99({ fromMs, toMs }), seconds, heldBeyond });
  }
  await trial.stopLoad();
  return { rate, turns };
}

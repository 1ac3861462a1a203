import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { median, round, type Row } from './row.ts';
import type { Timed } from './timed.ts';

/**
 * Runs both by turns, ours first, and makes a row of the medians. `between` puts back what a turn has changed; then all is
 * written to disk, so that neither pays for what was before it.
 */
export async function compare<T extends Timed>(o: {
  bench: string;
  bar?: number;
  turns: number;
  ours: (turn: number) => Promise<T>;
  peer: (turn: number) => Promise<Timed>;
  between?: (turn: number) => Promise<void>;
  /** Further members of the row, from our runs. */
  more?: (ours: readonly T[]) => Record<string, unknown>;
}): Promise<Row> {
  const ours: T[] = [];
  const peer: Timed[] = [];
  const settle = async (turn: number) => {
    await o.between?.(turn);
    execFileSync('sync');
  };
  for (let turn = 0; turn < o.turns; turn++) {
    await settle(turn);
    ours.push(await o.ours(turn));
    await settle(turn);
    peer.push(await o.peer(turn));
  }
  await o.between?.(o.turns);
  const seconds = (all: readonly Timed[]) => median(all.map((t) => t.seconds));
  const cpu = (all: readonly Timed[]) => median(all.map((t) => t.cpuSeconds));
  return {
    bench: o.bench,
    ratio: round(seconds(ours) / seconds(peer)),
    ours_s: round(seconds(ours)),
    peer_s: round(seconds(peer)),
    n: o.turns,
    ...(o.bar === undefined ? {} : { bar: o.bar }),
    ours_cpu_s: round(cpu(ours)),
    peer_cpu_s: round(cpu(peer)),
    load: round(loadavg()[0] as number),
    ...o.more?.(ours),
  };
}

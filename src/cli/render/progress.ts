import type { ProgressEvent } from '../../index.ts';
import { seconds, size } from './size.ts';

/** A part that has told nothing for so long has ended: stages do not say which parts they had. */
const OVER_MS = 3_000;

/** Where a part was when it was first heard of: its speed is counted from there. */
export interface Beginning {
  at: number;
  files: number;
  bytes: number;
}

interface Part {
  first: Beginning;
  last: ProgressEvent;
  heardAt: number;
  shownAt: number;
}

/** What is under way on each node and in each store. */
export class Progress {
  readonly #parts = new Map<string, Part>();

  /** Takes an event; gives its line when the part that it is of has shown none for `everyMs`. */
  take(e: ProgressEvent, everyMs: number, now = Date.now()): string | undefined {
    const key = `${e.node}/${e.store}/${e.stage}`;
    const known = this.#parts.get(key);
    const first = known?.first ?? { at: now, files: e.files, bytes: e.bytes };
    const isDue = known === undefined || now - known.shownAt >= everyMs;
    this.#parts.set(key, { first, last: e, heardAt: now, shownAt: isDue ? now : known.shownAt });
    return isDue ? progressLine(e, first, now) : undefined;
  }

  /** One line for all that is under way: each part, and when the last of them may be done. */
  summary(now = Date.now()): string {
    const parts = [...this.#parts.values()].filter((p) => now - p.heardAt < OVER_MS);
    const [only] = parts;
    if (parts.length === 1 && only) return progressLine(only.last, only.first, now);
    const left = parts.map((p) => secondsLeft(p.last, p.first, now)).filter((s) => s !== undefined);
    const each = parts.map(({ last: e }) => `${e.node} ${e.store} ${share(e)}`).join(' · ');
    return `  ${each}${left.length === 0 ? '' : `, ${seconds(Math.max(...left))} left`}`;
  }
}

/** One line of progress: what, how far, and how long it may still take at the speed so far. */
export function progressLine(e: ProgressEvent, first: Beginning, now = Date.now()): string {
  const of = (done: string, total: string | undefined) => (total === undefined ? done : `${done} of ${total}`);
  const parts = [of(String(e.files), e.totalFiles === undefined ? undefined : String(e.totalFiles))];
  if (e.bytes > 0) parts.push(of(size(e.bytes), e.totalBytes === undefined ? undefined : size(e.totalBytes)));
  const left = secondsLeft(e, first, now);
  if (left !== undefined) parts.push(`${seconds(left)} left`);
  return `  ${e.node} ${e.store} ${e.stage}: ${parts.join(', ')}`;
}

/** By bytes where their number is known, else by files. */
function secondsLeft(e: ProgressEvent, first: Beginning, now: number): number | undefined {
  const [done, begun, total] =
    e.totalBytes === undefined ? [e.files, first.files, e.totalFiles] : [e.bytes, first.bytes, e.totalBytes];
  const speed = (done - begun) / Math.max(1, now - first.at);
  return total !== undefined && speed > 0 && total > done ? (total - done) / speed / 1000 : undefined;
}

function share(e: ProgressEvent): string {
  const [done, total] = e.totalBytes === undefined ? [e.files, e.totalFiles] : [e.bytes, e.totalBytes];
  return total === undefined || total === 0 ? size(e.bytes) : `${Math.floor((100 * done) / total)} %`;
}

import type { Emit, ProgressEvent, SkepEvent } from '../../index.ts';
import { seconds, size } from './size.ts';

const TTY_EVERY_MS = 200;
const PLAIN_EVERY_MS = 30_000;

/** Shows events: JSON lines on stdout, or text on stderr with progress (in place on a terminal, else a line each 30 s). */
export function eventRenderer(json: boolean): Emit {
  if (json) {
    return (event) => process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
  }
  const tty = process.stderr.isTTY === true;
  const started = new Map<string, { at: number; bytes: number }>();
  let shown = 0;
  let open = false;
  const line = (text: string) => {
    process.stderr.write(`${open ? '\r\x1b[K' : ''}${text}\n`);
    open = false;
  };
  return (event) => {
    if (event.type !== 'progress') {
      const text = describe(event);
      if (text !== undefined) line(text);
      return;
    }
    const key = `${event.node}/${event.store}/${event.stage}`;
    const first = started.get(key) ?? { at: Date.now(), bytes: event.bytes };
    started.set(key, first);
    if (Date.now() - shown < (tty ? TTY_EVERY_MS : PLAIN_EVERY_MS)) return;
    shown = Date.now();
    const text = progressLine(event, first);
    if (!tty) return line(text);
    process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 100) - 1)}`);
    open = true;
  };
}

/** One line of progress: what, how far, and how long it may still take at the speed so far. */
export function progressLine(e: ProgressEvent, first: { at: number; bytes: number }, now = Date.now()): string {
  const of = (done: string, total: string | undefined) => (total === undefined ? done : `${done} of ${total}`);
  const parts = [of(String(e.files), e.totalFiles === undefined ? undefined : String(e.totalFiles))];
  if (e.bytes > 0) parts.push(of(size(e.bytes), e.totalBytes === undefined ? undefined : size(e.totalBytes)));
  const speed = (e.bytes - first.bytes) / Math.max(1, now - first.at);
  if (e.totalBytes !== undefined && speed > 0 && e.totalBytes > e.bytes) {
    parts.push(`${seconds((e.totalBytes - e.bytes) / speed / 1000)} left`);
  }
  return `  ${e.node} ${e.store} ${e.stage}: ${parts.join(', ')}`;
}

const MARK = { pass: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

function describe(e: Exclude<SkepEvent, { type: 'progress' }>): string | undefined {
  switch (e.type) {
    case 'run-started':
      return `${e.command} ${e.run} of ${e.cluster}`;
    case 'stage-started':
      return `- ${e.text}`;
    case 'stage-done':
      return e.ms >= 1000 ? `  ${e.stage}: ${seconds(e.ms / 1000)}` : undefined;
    case 'warning':
      return `warning: ${e.text}`;
    case 'plan':
      return ['plan (nothing was changed):', ...e.steps.map((s, i) => `${String(i + 1).padStart(3)}. ${s.text}`)].join(
        '\n',
      );
    case 'check':
      return `${MARK[e.verdict]}  ${e.title}${e.node ? ` (${e.node})` : ''}: ${e.seen}${e.cure ? `\n      cure: ${e.cure}` : ''}`;
    case 'result':
    case 'error':
      return undefined;
  }
}

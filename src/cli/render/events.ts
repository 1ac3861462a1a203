import type { Emit, SkepEvent } from '../../index.ts';
import { Progress } from './progress.ts';
import { seconds } from './size.ts';

const TTY_EVERY_MS = 200;
const PLAIN_EVERY_MS = 30_000;

/**
 * Shows events: JSON lines on stdout, or text on stderr with progress: in place on a terminal, else a line each 30 s for
 * each node and store.
 */
export function eventRenderer(json: boolean): Emit {
  if (json) {
    return (event) => process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
  }
  const tty = process.stderr.isTTY === true;
  const progress = new Progress();
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
    const text = progress.take(event, PLAIN_EVERY_MS);
    if (!tty) {
      if (text !== undefined) line(text);
      return;
    }
    if (Date.now() - shown < TTY_EVERY_MS) return;
    shown = Date.now();
    process.stderr.write(`\r\x1b[K${progress.summary(shown).slice(0, (process.stderr.columns ?? 100) - 1)}`);
    open = true;
  };
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

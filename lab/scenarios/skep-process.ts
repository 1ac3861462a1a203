import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { SerializedError, SkepEvent } from '../../src/index.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface SkepRun {
  exitCode: number;
  events: SkepEvent[];
  /** The `result` event. */
  result: Record<string, unknown> | undefined;
  error: SerializedError | undefined;
  seconds: number;
  /** What it said to people. */
  stderr: string;
}

/**
 * How a command is run. When `signal` is aborted it gets a SIGTERM, or a SIGKILL: then it can tell nothing more; or, as by Ctrl-C in
 * a terminal, a SIGINT with all of its process group.
 */
export interface SkepRunOptions {
  config: string;
  state: string;
  /** The argv of skep; from its source when absent. */
  skep?: readonly [string, ...string[]];
  onEvent?: (e: SkepEvent) => void;
  signal?: AbortSignal;
  kill?: 'SIGTERM' | 'SIGKILL' | 'Ctrl-C';
}

/** Runs the command line as an operator would, in a process of its own, and reads its events. */
export async function runSkep(args: readonly string[], o: SkepRunOptions): Promise<SkepRun> {
  const started = performance.now();
  const [file, ...prefix] = o.skep ?? ([process.execPath, MAIN] as const);
  const child = execa(file, [...prefix, ...args, '--config', o.config, '--json'], {
    stdin: 'ignore',
    buffer: { stdout: false, stderr: true },
    reject: false,
    env: { SKEP_STATE: o.state },
    // One that was told to end gives back what it holds, and that takes the time that it takes.
    forceKillAfterDelay: false,
    detached: o.kill === 'Ctrl-C',
    ...(o.signal && o.kill !== 'Ctrl-C'
      ? { cancelSignal: o.signal, gracefulCancel: false, killSignal: o.kill ?? 'SIGTERM' }
      : {}),
  });
  if (o.kill === 'Ctrl-C') o.signal?.addEventListener('abort', () => process.kill(-Number(child.pid), 'SIGINT'));
  const events: SkepEvent[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // A process that was killed may have been writing.
    if (o.kill === 'SIGKILL' && o.signal?.aborted && !line.endsWith('}')) break;
    const event = JSON.parse(line) as SkepEvent;
    if (event.type !== 'progress') events.push(event);
    o.onEvent?.(event);
  }
  const { exitCode, signal, stderr } = await child;
  const last = (type: SkepEvent['type']) => events.findLast((e) => e.type === type);
  const error = last('error');
  return {
    exitCode: exitCode ?? { SIGTERM: 143, SIGKILL: 137 }[signal as string] ?? 1,
    events,
    result: last('result') as Record<string, unknown> | undefined,
    error: error?.type === 'error' ? error.error : undefined,
    seconds: (performance.now() - started) / 1000,
    stderr,
  };
}

/** The same, and a failure is thrown with what skep said. */
export async function mustSkep(
  args: readonly string[],
  o: SkepRunOptions,
): Promise<SkepRun & { result: Record<string, unknown> }> {
  const run = await runSkep(args, o);
  if (run.exitCode !== 0 || !run.result) {
    const why = run.error ? `${run.error.message} [${run.error.code}]` : run.stderr.slice(-500);
    throw new Error(`skep ${args.join(' ')} ended with ${run.exitCode}: ${why}`);
  }
  return { ...run, result: run.result };
}

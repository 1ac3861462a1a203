import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import type { SerializedError } from '../../../../src/errors.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
// Half the time of a start is spent on compiling the same files again.
const NODE_COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'skep-tests');

/** What a run of skep has told, and how it ended. */
export interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** The lines of stdout as JSON; only with `--json`. */
  events: { type: string; at: string; error?: SerializedError; [key: string]: unknown }[];
}

/** Runs skep as a process of its own, without a terminal, and without the configuration of whoever runs the tests. */
export async function skep(
  args: readonly string[],
  o: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const { SKEP_CONFIG: _, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, NODE_COMPILE_CACHE, NO_COLOR: '1', ...o.env },
    ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const lines = args.includes('--json') ? stdout.split('\n').filter((l) => l !== '') : [];
  return { exitCode, stdout, stderr, events: lines.map((l) => JSON.parse(l) as Ran['events'][number]) };
}

/** The only `error` event of a run. */
export function errorOf(ran: Ran): SerializedError {
  const errors = ran.events.filter((e) => e.type === 'error');
  if (errors.length !== 1 || !errors[0]?.error) throw new Error(`not one error event: ${ran.stdout}`);
  return errors[0].error;
}

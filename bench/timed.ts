import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundledProduct } from './bundle.ts';
import { cacheFolder } from '../src/compiled-code.ts';

/** Seconds that a process took, and what it printed. */
export interface Timed {
  seconds: number;
  /** Of all cores and of its children. */
  cpuSeconds: number;
  stdout: string;
}

/** What a process is given: `input` on its stdin, so that no list of processes shows it. */
interface TimedOptions {
  env?: Record<string, string>;
  input?: string;
}

/** Runs a command to its end in a process of its own; from its start to its exit, start-up included. */
export async function timed(argv: readonly string[], { env = {}, input = '' }: TimedOptions = {}): Promise<Timed> {
  // bash's `time` also tells the CPU time of a child, which Node does not.
  const script = `TIMEFORMAT='%3R %3U %3S'; time "$@" 2>&3`;
  const child = spawn('bash', ['-c', script, 'bash', ...argv], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  child.stdin.end(input);
  const read = (stream: NodeJS.ReadableStream | null) => {
    const text = { all: '' };
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text.all += chunk));
    return text;
  };
  const [stdout, times, stderr] = [child.stdout, child.stderr, child.stdio[3] as NodeJS.ReadableStream].map(read);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${String(code)}: ${stderr?.all}`);
  const [real, user, system] = (times?.all ?? '').trim().split(' ').map(Number) as [number, number, number];
  return { seconds: real, cpuSeconds: user + system, stdout: stdout?.all ?? '' };
}

/** Runs a script of `bench/product` by its name, under the project's Node, with JSON on stdin; it prints one JSON object. */
export async function timedProduct<T>(
  script: string,
  input: unknown,
  env: Record<string, string> = {},
): Promise<Timed & { result: T }> {
  const file = join(await bundledProduct(), `${script}.mjs`);
  // As skep itself does at its start.
  const code = { NODE_COMPILE_CACHE: join(cacheFolder(), 'code') };
  const ran = await timed([process.execPath, '--max-semi-space-size=8', file], {
    env: { ...code, ...env },
    input: JSON.stringify(input),
  });
  return { ...ran, result: JSON.parse(ran.stdout) as T };
}

/** Reads every file below a folder, so that whoever reads it next finds it in the cache. */
export async function warm(folder: string): Promise<void> {
  await timedShell('find "$1" -type f -exec cat {} + >/dev/null', [folder]);
}

/** Runs a line of shell; `$1` and so on are the arguments. */
export function timedShell(line: string, args: readonly string[], env: Record<string, string> = {}): Promise<Timed> {
  return timed(['bash', '-e', '-c', line, 'bash', ...args], { env });
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { SkepError } from '../errors.ts';
import { niceSession } from './nice-session.ts';

/** Most that is kept of each of the two outputs, in bytes. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** How long a command may go on after it was told to end. */
const END_MS = 5_000;
/** How long after its end its output may go on: a daemon that it has started may hold the pipe for ever. */
const LAST_WORDS_MS = 2_000;

export interface CommandOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Gets every line of both outputs instead of having them kept. */
  onLine?: (line: string) => void;
}

/**
 * Runs a command with all that it starts in a process group of its own: `nodetool` is a script, and to end the script
 * alone would leave its Java running and its output open. Errors: `cancelled`, `command-failed` (cannot be run, or did
 * not end in time).
 */
export async function runCommand(
  argv: readonly string[],
  o: CommandOptions,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const [file, ...args] = argv as [string, ...string[]];
  if (o.signal?.aborted) throw new SkepError('cancelled', `${file} was cancelled`);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  void niceSession(child.pid);
  const outputs = [child.stdout, child.stderr].map((s) => (o.onLine ? tellLines(s, o.onLine) : keep(s)));
  let ended: 'cancelled' | 'late' | undefined;
  const end = (why: 'cancelled' | 'late') => {
    ended ??= why;
    signalGroup(child.pid, 'SIGTERM');
    setTimeout(() => signalGroup(child.pid, 'SIGKILL'), END_MS).unref();
  };
  const onAbort = () => end('cancelled');
  o.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = o.timeoutMs === undefined ? undefined : setTimeout(() => end('late'), o.timeoutMs);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    await Promise.race([Promise.all(outputs), delay(LAST_WORDS_MS, undefined, { ref: false })]);
    child.stdout.destroy();
    child.stderr.destroy();
    const [stdout = '', stderr = ''] = (await Promise.all(outputs)).map((text) => text.replace(/\n$/, ''));
    if (ended === 'cancelled') throw new SkepError('cancelled', `${file} was cancelled`);
    if (ended === 'late') {
      throw new SkepError('command-failed', `${file} did not end within ${(o.timeoutMs ?? 0) / 1000} s`);
    }
    if (code === null) throw new SkepError('command-failed', `${file} was ended by ${signal}`);
    return { exitCode: code, stdout, stderr };
  } catch (e) {
    if (e instanceof SkepError) throw e;
    throw new SkepError('command-failed', `cannot run ${file}: ${(e as NodeJS.ErrnoException).code ?? String(e)}`);
  } finally {
    clearTimeout(timer);
    o.signal?.removeEventListener('abort', onAbort);
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}

/** The last of what a stream gives until it ends or is destroyed. */
async function keep(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size - (chunks[0]?.length ?? 0) > MAX_OUTPUT) size -= chunks.shift()?.length ?? 0;
  });
  await once(stream, 'close').catch(() => undefined);
  return Buffer.concat(chunks).toString('utf8');
}

async function tellLines(stream: Readable, onLine: (line: string) => void): Promise<string> {
  try {
    for await (const line of createInterface({ input: stream })) onLine(line);
  } catch {
    // Destroyed: the command has ended.
  }
  return '';
}

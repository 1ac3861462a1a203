import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SkepError } from '../../src/errors.ts';
import type { LoadHandle, LoadOptions } from './load.ts';
import type { LatencyStats, Window } from './latencies.ts';

const startedSchema = z.object({ event: z.literal('started'), run: z.number(), ledgerFile: z.string() });
const statsSchema = z.object({
  count: z.number(),
  failed: z.number(),
  perSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});
const endedSchema = z.object({ event: z.literal('ended') });
const answerSchema = z.object({ event: z.literal('answer'), id: z.number(), stats: statsSchema.optional() });

/** What the process is told, a line each on its stdin. Each is answered by its id; `stop` when everything has ended. */
export const commandSchema = z.discriminatedUnion('do', [
  z.object({ id: z.number(), do: z.literal('rate'), rate: z.number().positive().optional() }),
  z.object({ id: z.number(), do: z.literal('stats'), fromMs: z.number().optional(), toMs: z.number().optional() }),
  z.object({ id: z.number(), do: z.literal('stop') }),
]);
type Command = z.infer<typeof commandSchema>;
type Asked = Command extends infer C ? (C extends Command ? Omit<C, 'id'> : never) : never;

/**
 * The same load in a process of its own, so that its memory and its work are not those of who watches. It ends by
 * `stop`, and by itself when this process goes away (its stdin closes). What it says on stderr goes to ours. As that
 * `user`, by its number, when one is given: attachments belong to who has written them.
 */
export async function startLoadProcess(
  options: LoadOptions,
  user?: number,
): Promise<LoadHandle & { readonly pid: number }> {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--control'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new SkepError('command-failed', `the load ended with ${signal ?? code}`)),
    );
  });
  exited.catch(() => undefined);
  const waiting = new Map<number, (stats: LatencyStats | undefined) => void>();
  const { promise: writersEnded, resolve: onWritersEnded } = Promise.withResolvers<void>();
  const started = new Promise<z.infer<typeof startedSchema>>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message: unknown = JSON.parse(line);
      const answer = answerSchema.safeParse(message);
      if (answer.success) waiting.get(answer.data.id)?.(answer.data.stats);
      else if (endedSchema.safeParse(message).success) onWritersEnded();
      else resolve(startedSchema.parse(message));
    });
  });
  // A process that has died says so by its exit, not by a failing write.
  child.stdin.on('error', () => undefined);
  child.stdin.write(JSON.stringify(options) + '\n');
  const { run, ledgerFile } = await Promise.race([started, exited.then(() => endedTooEarly())]);

  let lastId = 0;
  const ask = async (command: Asked): Promise<LatencyStats | undefined> => {
    const id = ++lastId;
    const answered = new Promise<LatencyStats | undefined>((resolve) => waiting.set(id, resolve));
    child.stdin.write(JSON.stringify({ id, ...command }) + '\n');
    return Promise.race([answered, exited.then(() => endedTooEarly())]).finally(() => waiting.delete(id));
  };
  const stats = async (window: Window = {}): Promise<LatencyStats> =>
    statsSchema.parse(await ask({ do: 'stats', ...window }));
  let stopped: Promise<LatencyStats> | undefined;
  const stop = async (): Promise<LatencyStats> => {
    const last = statsSchema.parse(await ask({ do: 'stop' }));
    child.stdin.end();
    await exited;
    return last;
  };
  const ended = Promise.race([exited, writersEnded]);
  // Whoever does not wait for the end is told by the next question.
  ended.catch(() => undefined);
  return {
    run,
    ledgerFile,
    pid: child.pid ?? 0,
    ended,
    stats,
    setRate: async (rate) => void (await ask({ do: 'rate', ...(rate === undefined ? {} : { rate }) })),
    stop: () => (stopped ??= stop()),
  };
}

function endedTooEarly(): never {
  throw new SkepError('command-failed', 'the load ended without an answer');
}

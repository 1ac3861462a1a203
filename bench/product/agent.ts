import { readFileSync } from 'node:fs';
import { handlers } from '../../src/agent/handlers.ts';
import { Session } from '../../src/agent/session.ts';
import { widenThreadPool } from '../../src/agent/thread-pool.ts';
import type { Method, Params, Results } from '../../src/protocol/methods.ts';
import { useFileThreads } from '../../src/repository/index.ts';

/** The agent's own methods, called in this process. */
export function openAgent(): {
  call<M extends Method>(method: M, params: Params<M>): Promise<Results[M]>;
  end(): Promise<void>;
} {
  widenThreadPool();
  useFileThreads();
  const session = new Session();
  const methods = handlers(session);
  const { signal } = new AbortController();
  return {
    call: (method, params) => methods[method]!(params, { signal, emit: () => {} } as never) as never,
    end: () => session.end(),
  };
}

/** What the calling row gave. */
export function input<T>(): T {
  return JSON.parse(readFileSync(0, 'utf8')) as T;
}

/**
 * One JSON object for the calling row, with the most memory that this process had, the bytes that it wrote, and what the
 * filesystem made of them: whole blocks, and those of folders and inodes.
 */
export function print(result: Record<string, unknown>): void {
  const io = readFileSync('/proc/self/io', 'utf8');
  const megabytes = (counter: RegExp): number => Math.round(Number(counter.exec(io)?.[1]) / 1e4) / 100;
  process.stdout.write(
    JSON.stringify({
      ...result,
      rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
      written_mb: megabytes(/^wchar: (\d+)$/m),
      blocks_mb: megabytes(/^write_bytes: (\d+)$/m),
    }),
  );
}

import { setTimeout as delay } from 'node:timers/promises';
import { Peer, type Handler } from '../protocol/peer.ts';
import { setRelay, useFileThreads } from '../repository/index.ts';
import { VERSION } from '../version.ts';
import { handlers } from './handlers.ts';
import { niceSession } from './nice-session.ts';
import { Session } from './session.ts';
import { widenThreadPool } from './thread-pool.ts';

/** How long calls that are under way may go on when the conversation has ended. */
const HANDLERS_MS = 8_000;

/**
 * Talks on stdin and stdout, logs on stderr, and holds nothing after it has left: when the controller goes, is silent,
 * or kills it, pins and snapshots are removed. `change` is for tests that need an agent with a fault.
 */
export async function runAgent(
  change: (methods: Record<string, Handler>) => Record<string, Handler> = (m) => m,
): Promise<void> {
  void niceSession(process.pid);
  widenThreadPool();
  useFileThreads();
  const session = new Session();
  const peer = new Peer({
    input: process.stdin,
    output: process.stdout,
    version: VERSION,
    handlers: change(handlers(session)),
  });
  setRelay((request, bytes) => peer.exchange('relay', request, bytes === undefined ? {} : { bytes }));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => peer.close());
  const reason = await peer.ending;
  // What does not heed its signal must not keep pins and snapshots for ever.
  await Promise.race([peer.closed, delay(HANDLERS_MS)]);
  await session.end();
  if (reason.code === 'protocol-error') process.stderr.write(`${reason.message}\n`);
  process.exit(reason.code === 'protocol-error' ? 1 : 0);
}

import { setTimeout as delay } from 'node:timers/promises';
import { Peer, type Handler } from '../protocol/peer.ts';
import { setRelay, useFileThreads } from '../repository/index.ts';
import { VERSION } from '../version.ts';
import { handlers } from './handlers.ts';
import { niceSession } from './nice-session.ts';
import { Session } from './session.ts';
import { widenThreadPool } from './thread-pool.ts';

/**
 * An agent whose controller is gone has left within 30 s: after this silence, which a heartbeat looks at, what calls that are under
 * way may still take, and ten seconds for nodetool. Not sooner: what is sent while a cable is out for 5 s comes up to 6 s
 * after that, since TCP tries again after twice the time each time.
 */
export const SILENCE_MS = 14_000;
export const HANDLERS_MS = 5_000;

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
    silenceMs: SILENCE_MS,
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

import { Peer } from '../protocol/peer.ts';
import { VERSION } from '../version.ts';
import { handlers } from './handlers.ts';
import { Session } from './session.ts';

/**
 * The agent: what runs on a node. Talks on stdin and stdout, logs on stderr, and holds nothing after it has left: when
 * the controller goes, is silent, or kills it, pins and snapshots are removed.
 */
async function main(): Promise<void> {
  const session = new Session();
  const peer = new Peer({
    input: process.stdin,
    output: process.stdout,
    version: VERSION,
    handlers: handlers(session),
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => peer.close());
  const reason = await peer.closed;
  await session.end();
  if (reason.code === 'protocol-error') process.stderr.write(`${reason.message}\n`);
  process.exit(reason.code === 'protocol-error' ? 1 : 0);
}

await main();

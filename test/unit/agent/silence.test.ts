import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { HANDLERS_MS, SILENCE_MS } from '../../../src/agent/run-agent.ts';
import { HEARTBEAT_MS } from '../../../src/protocol/peer.ts';
import { bareEnd } from '../protocol/pair.ts';

const SECOND = 1000;
/** What an agent must leave of its 30 s to nodetool. */
const NODETOOL_MS = 10 * SECOND;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
});

/** An agent's end of a conversation in which the controller has just pinged. */
async function agent() {
  const end = bareEnd({ silenceMs: SILENCE_MS });
  let over = false;
  void end.peer.ending.then(() => (over = true));
  const ping = async () => {
    end.send({ t: 'ping' });
    await vi.advanceTimersByTimeAsync(0);
  };
  end.greet();
  await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
  await ping();
  return { ping, wait: (ms: number) => vi.advanceTimersByTimeAsync(ms), isOver: () => over };
}

describe('an agent that hears nothing', () => {
  test('takes its controller for dead while there is time to clean up within 30 s', async () => {
    const { wait, isOver } = await agent();
    await wait(30 * SECOND - NODETOOL_MS - HANDLERS_MS);
    expect(isOver()).toBe(true);
  });

  test('goes on where a cable was out for five seconds, though TCP sends again only after twice the time each time', async () => {
    const { ping, wait, isOver } = await agent();
    // Just before the next ping; then one try right before the cable is in again, and the next one after as long.
    await wait(HEARTBEAT_MS + 10.5 * SECOND);
    await ping();
    await wait(12 * SECOND);
    expect(isOver()).toBe(false);
  });
});

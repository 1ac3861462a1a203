import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { AgentProcess } from '../../../src/remote/agent-process.ts';
import { snapshotError } from '../../../src/run/snapshot-error.ts';

/** An agent on whose node only these paths have room. */
function agentWith(room: readonly string[]): AgentProcess {
  const call = async (_: string, { paths }: { paths: string[] }) => ({
    space: paths.map((path) => ({ path, freeBytes: room.includes(path) ? 2 ** 30 : 4096 })),
  });
  return { call } as unknown as AgentProcess;
}

const failed = new SkepError('command-failed', 'nodetool snapshot failed on n1: Unable to create directory /d/t/s/x');

describe('a snapshot that fails', () => {
  test('is one of space where a disk is full, at the folder that is named or another one', async () => {
    const named = await snapshotError(agentWith(['/d']), failed, ['/d']);
    expect(named).toMatchObject({ code: 'no-space', message: `no space at /d/t/s/x: ${failed.message}` });
    const other = await snapshotError(agentWith(['/d/t/s/x', '/d']), failed, ['/d', '/e']);
    expect(other).toMatchObject({ code: 'no-space', message: expect.stringContaining('no space at /e: ') });
  });

  test('stays what it is where there is room, where the node does not answer, and where the reason is known', async () => {
    expect(await snapshotError(agentWith(['/d/t/s/x', '/d']), failed, ['/d'])).toBe(failed);
    const silent = { call: () => Promise.reject(new Error('gone')) } as unknown as AgentProcess;
    expect(await snapshotError(silent, failed, ['/d'])).toBe(failed);
    const jmx = new SkepError('jmx-credentials', 'refused');
    expect(await snapshotError(agentWith([]), jmx, ['/d'])).toBe(jmx);
  });
});

import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import { fastFolder } from '../support/races.ts';
import { FAULT_KINDS, type FaultKind } from './support/faults.ts';
import { addTally, newTally } from './support/history.ts';
import { runHistories } from './support/run-histories.ts';
import { believingListings, believingPuts, hastyFlushes } from './support/sabotage.ts';
import { beginVirtualTime } from './support/virtual-clock.ts';

vi.setConfig({ testTimeout: 900_000 });

/** Others at every run: what one run does not meet another does. */
const seed = Number(process.env['SKEP_SEED'] ?? randomInt(1_000_000_000));
/** What a control sees is to be seen by anybody. */
const CONTROL_SEED = 20261125;
const count = Number(process.env['SKEP_HISTORIES'] ?? 1000);
const PARTS = [0, 1, 2, 3];
const AGAIN = `run it again with SKEP_SEED=${seed} SKEP_HISTORIES=${count}`;

let endVirtualTime: () => void;
beforeAll(() => {
  console.log(`faulty storage: ${AGAIN}`);
  endVirtualTime = beginVirtualTime();
});
afterAll(() => endVirtualTime());

describe('on a storage that fails, lies and is late', () => {
  const met = newTally();

  test.each(PARTS)('a COMPLETE backup is whole, what fails says why, and all ends well: part %i', async (part) => {
    const mine = Math.ceil(count / PARTS.length);
    const { failure, ...tally } = await runHistories({ seed: seed + part, count: mine });
    console.log(`faulty storage: part ${part}: ${JSON.stringify(tally)}`);
    expect(failure, AGAIN).toBeUndefined();
    expect(tally.histories).toBe(mine);
    addTally(met, tally);
  });

  test.runIf(count >= 1000)('every fault has struck, and every operation has succeeded and failed, many times', () => {
    expect(Object.keys(met.faults).sort(), AGAIN).toEqual([...FAULT_KINDS].sort());
    for (const what of ['backup', 'copy', 'forget', 'prune', 'verify', 'lay out']) {
      expect(met.done[what], AGAIN).toBeGreaterThan(40);
    }
    for (const what of ['backup', 'copy', 'forget', 'prune']) expect(met.failed[what], AGAIN).toBeGreaterThan(20);
  });

  test('a folder behaves no worse', async () => {
    const make = async () => new PathBackend(await fastFolder());
    const { failure, ...tally } = await runHistories({ seed, count: Math.ceil(count / 100), make });
    console.log(`faulty folder: ${JSON.stringify(tally)}`);
    expect(failure, AGAIN).toBeUndefined();
  });
});

describe('CONTROL: it is seen to go wrong', () => {
  test.each<[string, FaultKind, (backend: Backend) => Backend, RegExp]>([
    ['a part of what was sent is believed to be all', 'short-put', believingPuts, /verify|said to be COMPLETE/],
    ['a prune believes one listing', 'stale', believingListings, /verify|said to be COMPLETE/],
    [
      'a manifest is there before its objects are',
      'down',
      hastyFlushes,
      /verify: (object|hash)-|is damaged and was not/,
    ],
  ])('when %s', async (_, kind, sabotage, what) => {
    const { failure } = await runHistories({ seed: CONTROL_SEED, count: 1000, kinds: [kind], sabotage, asItIs: true });
    expect(failure).toMatch(what);
  });
});

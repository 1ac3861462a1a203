import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import { fastFolder } from '../support/races.ts';
import { FAULT_KINDS, type FaultKind } from './support/faults.ts';
import { runHistories } from './support/run-histories.ts';
import { believingListings, believingPuts, hastyFlushes } from './support/sabotage.ts';
import { beginVirtualTime } from './support/virtual-clock.ts';

vi.setConfig({ testTimeout: 900_000 });

const PARTS = [0, 1, 2, 3];
/** Another one at each run; it is printed, and taken from `SKEP_SEED` to see a failure again. */
const seed = Number(process.env['SKEP_SEED'] ?? randomInt(1, 2 ** 31 - PARTS.length));
/** What a control sees is to be seen by anybody. */
const CONTROL_SEED = 20261125;
const count = Number(process.env['SKEP_HISTORIES'] ?? 1000);

let endVirtualTime: () => void;
beforeAll(() => void (endVirtualTime = beginVirtualTime()));
afterAll(() => endVirtualTime());

describe('on a storage that fails, lies and is late', () => {
  test.each(PARTS)('a COMPLETE backup is whole, what fails says why, and all ends well: part %i', async (part) => {
    const mine = Math.ceil(count / PARTS.length);
    const { failure, ...tally } = await runHistories({ seed: seed + part, count: mine });
    console.log(`faulty storage: seed ${seed + part}: ${JSON.stringify(tally)}`);
    expect(failure).toBeUndefined();
    expect(tally.histories).toBe(mine);
    if (count < 1000) return;
    expect(Object.keys(tally.faults).sort()).toEqual([...FAULT_KINDS].sort());
    for (const what of ['backup', 'copy', 'forget', 'prune', 'verify', 'lay out']) {
      expect(tally.done[what]).toBeGreaterThan(10);
    }
    for (const what of ['backup', 'copy', 'forget', 'prune']) expect(tally.failed[what]).toBeGreaterThan(5);
  });

  test('a folder behaves no worse', async () => {
    const make = async () => new PathBackend(await fastFolder());
    const { failure, ...tally } = await runHistories({ seed, count: Math.ceil(count / 100), make });
    console.log(`faulty folder: seed ${seed}: ${JSON.stringify(tally)}`);
    expect(failure).toBeUndefined();
  });
});

describe('CONTROL: it is seen to go wrong', () => {
  test.each<[string, FaultKind, (backend: Backend) => Backend, RegExp]>([
    ['a part of what was sent is believed to be all', 'short-put', believingPuts, /verify|said to be COMPLETE/],
    ['a prune believes one listing', 'stale', believingListings, /verify|said to be COMPLETE/],
    ['a manifest is there before its objects are', 'down', hastyFlushes, /verify: object-missing/],
  ])('when %s', async (_, kind, sabotage, what) => {
    const { failure } = await runHistories({ seed: CONTROL_SEED, count: 1000, kinds: [kind], sabotage, asItIs: true });
    expect(failure).toMatch(what);
  });
});

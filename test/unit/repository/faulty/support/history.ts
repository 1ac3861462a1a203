/** Random histories of two repositories on faulty storages: a bad time, a judgement, a good time, a judgement. */
import fc from 'fast-check';
import type { Backend } from '../../../../../src/repository/backend/backend.ts';
import type { GivenKeys } from '../../../../../src/repository/sealing/open-keyring.ts';
import { FAULT_KINDS, type Fault, type FaultKind, Faults } from './faults.ts';
import type { Traits } from './faulty-backend.ts';
import { judgeBackups, judgeLeaks } from './judge.ts';
import { type Step, take, unlock } from './steps.ts';
import { makeWorld, openAsItIs, ownerOf, nextRun, type World } from './world.ts';

export interface History {
  steps: Step[];
  faults: Fault[];
  traits: Traits;
  sealed: boolean;
  /** Files that are there from the beginning: listings of several pieces where there are many. */
  files: number;
}

/** What histories have met, so that a run which tests nothing is seen. */
export interface Tally {
  histories: number;
  faults: Record<string, number>;
  done: Record<string, number>;
  failed: Record<string, number>;
}

export interface Ground {
  /** An empty storage. */
  make: () => Promise<Backend>;
  /** Of a sealed repository. */
  keys: GivenKeys;
  tally: Tally;
  sabotage?: (backend: Backend) => Backend;
}

export function newTally(): Tally {
  return { histories: 0, faults: {}, done: {}, failed: {} };
}

/** Adds what some histories have met to what others have. */
export function addTally(sum: Tally, { histories: n, ...counts }: Tally): void {
  sum.histories += n;
  for (const [name, found] of Object.entries(counts)) {
    for (const [what, times] of Object.entries(found)) add(sum[name as keyof typeof counts], what, times);
  }
}

const content = fc.oneof(
  { weight: 9, arbitrary: fc.nat(8) },
  { weight: 1, arbitrary: fc.integer({ min: 9, max: 10 }) },
);

const alone: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('backup' as const),
      changes: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), content, { maxKeys: 4 }),
      compression: fc.constantFrom('off' as const, 'auto' as const),
      update: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), nth: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('prune' as const), takeAway: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('copy' as const), last: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('verify' as const),
      level: fc.constantFrom('structure' as const, 'presence' as const, 'data' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lay out' as const), nth: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'unlock' as const }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: alone },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('together' as const),
      steps: fc.array(alone, { minLength: 2, maxLength: 3 }),
    }),
  },
);

/** Histories in which only these faults come. */
export function histories(kinds: readonly FaultKind[] = FAULT_KINDS): fc.Arbitrary<History> {
  const fault: fc.Arbitrary<Fault> = fc.record({
    kind: fc.constantFrom(...kinds),
    after: fc.nat(60),
    amount: fc.integer({ min: 1, max: 12 }),
  });
  return fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    faults: fc.array(fault, { minLength: 1, maxLength: 10 }),
    traits: fc.record({ bins: fc.boolean(), keyFirst: fc.boolean() }),
    sealed: fc.oneof({ weight: 19, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    files: fc.oneof({ weight: 24, arbitrary: fc.constant(2) }, { weight: 1, arbitrary: fc.constant(220) }),
  });
}

/** What is wrong after one history; nothing when all is well. */
export async function live({ steps, faults, traits, sealed, files }: History, ground: Ground): Promise<string[]> {
  const { tally } = ground;
  const world = await makeWorld(
    {
      traits,
      keys: sealed ? ground.keys : {},
      faults: new Faults(faults),
      files: Object.fromEntries(Array.from({ length: files }, (_, i) => [`file ${i}`, 1 + (i % 5)])),
      sabotage: ground.sabotage ?? ((backend) => backend),
    },
    [await ground.make(), await ground.make()],
  );
  const tell = (what: string, error?: unknown): void => add(error === undefined ? tally.done : tally.failed, what);
  const complaints: string[] = [];
  for (const one of steps) complaints.push(...(await take(world, one, tell)));
  for (const kind of world.faults.struck) add(tally.faults, kind);
  tally.histories++;
  world.faults.end();
  for (const at of [0, 1] as const) complaints.push(...(await judgeBackups(world, at)));
  if (complaints.length > 0) return complaints;
  try {
    return await recover(world);
  } catch (error) {
    return [`after the faults: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

/** What people do when the storage is good again; all of it must succeed. */
async function recover(world: World): Promise<string[]> {
  for (const at of [0, 1] as const) {
    await unlock(world, at);
    const repo = await openAsItIs(world, at);
    const ids = (await repo.manifests()).filter(({ state }) => state === 'damaged').map(({ id }) => id);
    if (ids.length > 0) await repo.forget({ owner: ownerOf(nextRun()), ids, minimum: 0 });
    // What failed runs left in halves would stand in the way of a copy, which cannot tell it from another form.
    await repo.prune({ owner: ownerOf(nextRun()), wait: false });
  }
  const complaints: string[] = [];
  const tell = (what: string, error?: unknown): void => {
    if (error !== undefined) complaints.push(`${what} fails although the storage is good again: ${String(error)}`);
  };
  const healthy: Step[] = [
    { do: 'backup', changes: { a: 3, g: 7 }, compression: 'auto', update: true },
    { do: 'forget', nth: 0 },
    { do: 'copy', last: 9 },
    { do: 'prune', takeAway: false },
    { do: 'backup', changes: { b: 6 }, compression: 'off', update: false },
    { do: 'prune', takeAway: false },
  ];
  for (const one of healthy) complaints.push(...(await take(world, one, tell)));
  await (await openAsItIs(world, 1)).prune({ owner: ownerOf(nextRun()), wait: false });
  for (const at of [0, 1] as const)
    complaints.push(...(await judgeBackups(world, at)), ...(await judgeLeaks(world, at)));
  return complaints;
}

function add(counts: Record<string, number>, what: string, times = 1): void {
  counts[what] = (counts[what] ?? 0) + times;
}

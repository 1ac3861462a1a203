import { identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import type { Backend } from '../../../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../../../src/repository/backend/memory-backend.ts';
import { GOLDEN_KEYS } from '../../support/make-golden.ts';
import type { FaultKind } from './faults.ts';
import { histories, live, newTally, type Tally } from './history.ts';

export interface Run {
  seed: number;
  count: number;
  kinds?: readonly FaultKind[];
  /** An empty storage; in memory when absent. */
  make?: () => Promise<Backend>;
  sabotage?: (backend: Backend) => Backend;
  /** A failing history is not made smaller. */
  asItIs?: boolean;
}

export interface Ran extends Tally {
  /** The first history that went wrong, with its seed, and what was wrong. */
  failure?: string;
}

/** Lives through so many random histories, up to the first that goes wrong. */
export async function runHistories(run: Run): Promise<Ran> {
  const { namingKey, identity } = GOLDEN_KEYS;
  const keys = { namingKey, recipients: [await identityToRecipient(identity)], identities: [identity] };
  const tally = newTally();
  const { make = async () => new MemoryBackend(), sabotage } = run;
  const ground = { make, keys, tally, ...(sabotage === undefined ? {} : { sabotage }) };
  const property = fc.asyncProperty(histories(run.kinds), async (history) => {
    const complaints = await live(history, ground);
    if (complaints.length > 0) throw new Error(complaints.slice(0, 8).join('\n'));
  });
  const ran = await fc.check(property, { seed: run.seed, numRuns: run.count, endOnFailure: run.asItIs === true });
  if (!ran.failed) return tally;
  const [history] = ran.counterexample ?? [];
  const why = ran.errorInstance instanceof Error ? ran.errorInstance.message : String(ran.errorInstance);
  return { ...tally, failure: `seed ${ran.seed}, history ${ran.numRuns}: ${why}\n${JSON.stringify(history)}` };
}

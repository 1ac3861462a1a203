import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { acquireLease, type Lease, type LeaseOwner } from '../lease/index.ts';

/** A reader's hold on backups, as far as it could be had. */
export interface Hold {
  /** What is to be told: without a lease, or when it was lost, a forget and a prune may have made findings of their own. */
  notes(): Promise<string[]>;
  /** Never throws: a lease that stays behind is taken for dead in time. */
  release(): Promise<void>;
}

/** Takes a lease to read backups. Who may not write into the repository goes on without one. */
export async function holdBackups(
  backend: Backend,
  backups: readonly string[],
  owner: LeaseOwner | undefined,
): Promise<Hold> {
  if (owner === undefined || backups.length === 0) return held(undefined, []);
  try {
    return held(await acquireLease(backend, 'read', owner, { backups }), []);
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    return held(undefined, [`no lease could be taken, so a prune beside this may cause findings: ${error.message}`]);
  }
}

function held(lease: Lease | undefined, notes: string[]): Hold {
  return {
    async notes() {
      try {
        await lease?.assertHeld();
        return notes;
      } catch (error) {
        if (!(error instanceof SkepError)) throw error;
        return [...notes, `a prune may have caused findings, verify again: ${error.message}`];
      }
    },
    release: async () => lease?.release().catch(() => undefined),
  };
}

import { expect } from 'vitest';
import type { Lab } from '../../../lab/index.ts';
import type { SkepRun } from '../../../lab/scenarios/skep-process.ts';
import { openRepository } from '../../../src/index.ts';
import { leftovers } from './leftovers.ts';

/** Ids of the backups in the lab's repository. */
export async function backupsOf(lab: Lab): Promise<string[]> {
  return (await (await openRepository(lab.record.repository)).list()).map((b) => b.id);
}

/** It failed as it should, published nothing beside the backups that were there, which are whole yet, and left nothing behind. */
export async function expectRefused(
  lab: Lab,
  run: SkepRun,
  o: { code: string; exitCode: number; backups?: readonly string[] },
): Promise<void> {
  expect(run.error?.code, run.error?.message).toBe(o.code);
  expect(run.exitCode).toBe(o.exitCode);
  expect(await leftovers(lab)).toEqual([]);
  await expectOnly(lab, o.backups ?? []);
}

/** These backups are in the lab's repository and no other, and all that they need is there. */
export async function expectOnly(lab: Lab, backups: readonly string[]): Promise<void> {
  expect(await backupsOf(lab)).toEqual(backups);
  const repository = await openRepository(lab.record.repository);
  expect(await repository.verify({ level: 'presence' })).toMatchObject({ ok: true, findings: [] });
}

/** What a run warned of. */
export function warningsOf(run: SkepRun): string[] {
  return run.events.flatMap((e) => (e.type === 'warning' ? [e.text] : []));
}

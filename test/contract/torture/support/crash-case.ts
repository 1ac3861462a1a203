/** What a crash is judged by: one repository with older backups, one operation, and what must be true afterwards. */
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { initRepository, openRepository, type Repository } from '../../../../src/repository/index.ts';
import { clearUp } from './leaks.ts';
import { ALL_PLANS, type Operation, placeIn } from './operations.ts';
import type { Place } from './place.ts';
import { type BackupPlan, CLUSTER, readBack, writeSources } from './scene.ts';

/** What lies beside a repository on a path, and must be each case's own. */
const OWN = ['repository', 'origin'];

/** The files of the nodes, and the repository as the operation finds it. */
export async function prepare(folder: string, op: Operation, place: Place = placeIn(folder)): Promise<void> {
  for (const plan of ALL_PLANS) writeSources(plan, join(folder, 'sources'));
  await op.prepare(await initRepository(place.access, CLUSTER), folder, place);
}

/** A folder beside the prepared one, with the same sources, and the same repositories unless another is to come. */
export function copyPrepared(from: string, to: string, repository = true): void {
  mkdirSync(to, { recursive: true });
  symlinkSync(join(from, 'sources'), join(to, 'sources'));
  for (const name of OWN) {
    if (!existsSync(join(from, name)) || (name === 'repository' && !repository)) continue;
    cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
  }
}

/** Complaints about what a crash has left and what the rerun makes of it. `done`: the run had said so. */
export async function judge(
  folder: string,
  op: Operation,
  done: boolean,
  place: Place = placeIn(folder),
): Promise<string[]> {
  const repo = await openRepository(place.access);
  const { keeps, removes } = op;
  const [died, rerun] = [op.brings(0), op.brings(1)];
  const { there, complaints } = await look(repo, {
    must: done ? [...keeps, ...died] : keeps,
    may: done ? [] : [...died, ...removes],
  });
  place.age();
  await op.run(repo, folder, 1);
  // What is damaged cannot be pruned.
  if (complaints.length > 0) return complaints;
  const leaks = await clearUp(place, repo);
  const must = [...keeps, ...rerun, ...died.filter(({ id }) => there.has(id))];
  const after = await look(repo, { must, may: [] });
  for (const plan of must) if (after.there.has(plan.id)) after.complaints.push(...(await readBack(repo, plan)));
  return [...leaks, ...after.complaints].map((complaint) => `after the rerun and a prune: ${complaint}`);
}

async function damages(repo: Repository): Promise<string[]> {
  const { findings } = await repo.verify({ level: 'data' });
  return (
    findings
      // Between the manifest and its copy: a prune writes it.
      .filter(({ kind }) => kind !== 'manifest-copy-missing')
      .map(({ kind, key, message }) => `verify: ${kind} ${key}: ${message}`)
  );
}

interface Expected {
  must: readonly BackupPlan[];
  may: readonly BackupPlan[];
}

/** Exactly these backups are there, and every stored byte of them; gives the ids of those that are. */
async function look(repo: Repository, { must, may }: Expected): Promise<{ there: Set<string>; complaints: string[] }> {
  const complaints: string[] = [];
  const found = await repo.list();
  const there = new Set(found.map(({ id }) => id));
  const known = new Set([...must, ...may].map(({ id }) => id));
  for (const backup of found) {
    if (backup.state !== 'complete') complaints.push(`${backup.id} is ${backup.state}: ${backup.message}`);
    if (!known.has(backup.id)) complaints.push(`${backup.id} should not be there`);
  }
  for (const { id } of must) if (!there.has(id)) complaints.push(`${id} is not there`);
  return { there, complaints: [...complaints, ...(await damages(repo))] };
}

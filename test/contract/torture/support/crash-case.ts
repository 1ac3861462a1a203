/** What a crash is judged by: one repository with older backups, one operation, and what must be true afterwards. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initRepository, openRepository, type Repository } from '../../../../src/repository/index.ts';
import { backUp, type BackupPlan, CLUSTER, idAt, readBack, writeSources } from './scene.ts';

export interface Operation {
  name: string;
  /** `attempt` 0 is the run that dies, 1 the rerun. From `onDone` on what it was to do counts as done. */
  run(repo: Repository, folder: string, attempt: 0 | 1, onDone?: () => void): Promise<void>;
  /** The backup that attempt n makes, if it makes one. */
  makes(attempt: 0 | 1): BackupPlan | undefined;
}

/** The backups that are there before the operation. */
export const OLDER: readonly BackupPlan[] = [
  { id: idAt(1), state: 'first', nodes: { n1: { a: 'one', same: 'same*9000', log: 'log~5000' }, n2: { b: 'two' } } },
  { id: idAt(2), state: 'second', nodes: { n1: { a: 'uno', same: 'same*9000' }, n2: { b: 'two', c: 'three' } } },
];

const NEXT = {
  state: 'next',
  nodes: {
    n1: { a: 'eins', big: 'big*300000', copy: 'eins', empty: '', log: 'log~5000', same: 'same*9000' },
    n2: { b: 'two', huge: 'huge*4300000', text: 'text~400000' },
  },
};
const NEXT_IDS = [idAt(3), idAt(4)] as const;

const OPERATIONS: readonly Operation[] = [
  {
    name: 'backup',
    makes: (attempt) => ({ id: NEXT_IDS[attempt], ...NEXT }),
    run: (repo, folder, attempt, onDone) =>
      backUp(repo, { id: NEXT_IDS[attempt], ...NEXT }, join(folder, 'sources'), onDone),
  },
  {
    name: 'hasty backup',
    makes: (attempt) => ({ id: NEXT_IDS[attempt], ...NEXT }),
    run: hastyBackup,
  },
];

/** The sabotaged one: its manifest is there before its objects. What stands on it must go red. */
async function hastyBackup(_: Repository, folder: string, attempt: 0 | 1, onDone?: () => void): Promise<void> {
  const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
  cpSync(repositoryIn(folder), elsewhere, { recursive: true });
  await backUp(
    await openRepository({ location: elsewhere }),
    { id: NEXT_IDS[attempt], ...NEXT },
    join(folder, 'sources'),
  );
  for (const place of ['backups', 'listings', 'objects']) {
    for (const entry of readdirSync(join(elsewhere, place), { recursive: true, withFileTypes: true })) {
      const from = join(entry.parentPath, entry.name);
      const to = join(repositoryIn(folder), from.slice(elsewhere.length + 1));
      if (entry.isDirectory()) mkdirSync(to, { recursive: true });
      else if (!existsSync(to)) await appendFile(to, readFileSync(from));
    }
  }
  onDone?.();
}

export function operation(name: string): Operation {
  const found = OPERATIONS.find((o) => o.name === name);
  if (found === undefined) throw new Error(`no operation ${name}`);
  return found;
}

export const repositoryIn = (folder: string): string => join(folder, 'repository');

/** The repository with the older backups, and the files of the nodes. */
export async function prepare(folder: string): Promise<void> {
  const repo = await initRepository({ location: repositoryIn(folder) }, CLUSTER);
  for (const plan of [...OLDER, { id: NEXT_IDS[0], ...NEXT }]) writeSources(plan, join(folder, 'sources'));
  for (const plan of OLDER) await backUp(repo, plan, join(folder, 'sources'));
}

/** A folder beside the prepared one, with the same sources, and the same repository unless another is to come. */
export function copyPrepared(from: string, to: string, repository = true): void {
  mkdirSync(to, { recursive: true });
  symlinkSync(join(from, 'sources'), join(to, 'sources'));
  if (repository) cpSync(repositoryIn(from), repositoryIn(to), { recursive: true });
}

/** Complaints about what a crash has left and what the rerun makes of it. `done`: the run had said so. */
export async function judge(folder: string, op: Operation, done: boolean): Promise<string[]> {
  const complaints: string[] = [];
  const repo = await openRepository({ location: repositoryIn(folder) });
  const died = op.makes(0);
  const there = new Set((await repo.list()).map((backup) => backup.id));
  if (died !== undefined && done && !there.has(died.id)) complaints.push('an acknowledged backup is gone');
  complaints.push(...(await prove(repo, died !== undefined && there.has(died.id) ? [...OLDER, died] : OLDER)));
  await op.run(repo, folder, 1);
  const next = op.makes(1);
  const expected = [...OLDER, ...(died !== undefined && there.has(died.id) ? [died] : []), ...(next ? [next] : [])];
  complaints.push(...(await prove(repo, expected)).map((complaint) => `after the rerun: ${complaint}`));
  return complaints;
}

/** Exactly these backups are there, whole, and give their files back. */
async function prove(repo: Repository, plans: readonly BackupPlan[]): Promise<string[]> {
  const complaints: string[] = [];
  const found = await repo.list();
  const wanted = new Set(plans.map((plan) => plan.id));
  for (const backup of found) {
    if (backup.state !== 'complete') complaints.push(`${backup.id} is ${backup.state}: ${backup.message}`);
    if (!wanted.has(backup.id)) complaints.push(`${backup.id} should not be there`);
  }
  const report = await repo.verify({ level: 'data' });
  for (const finding of report.findings) complaints.push(`verify: ${finding.kind} ${finding.key}: ${finding.message}`);
  for (const plan of plans) {
    if (found.some((backup) => backup.id === plan.id)) complaints.push(...(await readBack(repo, plan)));
    else complaints.push(`${plan.id} is not there`);
  }
  return complaints;
}

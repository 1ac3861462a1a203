/** The operations that are killed: what each begins with, does, and must leave. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { incomingPrefix, objectKey } from '../../../../src/repository/format/names.ts';
import { initRepository, openRepository, type Repository } from '../../../../src/repository/index.ts';
import { pathPlace, type Place } from './place.ts';
import { backUp, type BackupPlan, CLUSTER, contentOf, idAt } from './scene.ts';

export interface Operation {
  name: string;
  /** Fills the new repository with what the operation begins with. */
  prepare(repo: Repository, folder: string, place: Place): Promise<void>;
  /** `attempt` 0 is the run that dies, 1 the rerun. From `onDone` on what it was to do counts as done. */
  run(repo: Repository, folder: string, attempt: 0 | 1, onDone?: () => void): Promise<void>;
  /** Backups that are there before, while and after it. */
  keeps: readonly BackupPlan[];
  /** Backups that attempt n makes. */
  brings(attempt: 0 | 1): readonly BackupPlan[];
  /** Backups that are there before it and not after it. */
  removes: readonly BackupPlan[];
}

const FIRST: BackupPlan = {
  id: idAt(1),
  state: 'first',
  nodes: { n1: { a: 'one', same: 'same*9000', log: 'log~5000' }, n2: { b: 'two' } },
};
const SECOND: BackupPlan = {
  id: idAt(2),
  state: 'second',
  nodes: { n1: { a: 'uno', same: 'same*9000' }, n2: { b: 'two', c: 'three' } },
};
const GONE: BackupPlan = {
  id: idAt(5),
  state: 'gone',
  nodes: { n1: { a: 'gone', same: 'same*9000', log: 'gone~5000' }, n2: { d: 'lost*300000' } },
};
/** What it was storing. */
const LOST_KEY = objectKey('d'.repeat(64), 'raw');
/** The run that had died long before a prune. */
const DEAD: BackupPlan = { id: idAt(6), state: 'dead', nodes: { n1: { e: 'staged*300000' } } };
const NEXT_IDS = [idAt(3), idAt(4)] as const;
const NEXT_NODES = {
  n1: { a: 'eins', big: 'big*300000', copy: 'eins', empty: '', log: 'log~5000', same: 'same*9000' },
  n2: { b: 'two', huge: 'huge*8500000', text: 'text~400000' },
};
const OLDER = [FIRST, SECOND];

/** Whatever any of them backs up. */
export const ALL_PLANS: readonly BackupPlan[] = [...OLDER, GONE, DEAD, next(0)];

function next(attempt: 0 | 1): BackupPlan {
  return { id: NEXT_IDS[attempt], state: 'next', nodes: NEXT_NODES };
}

const owner = (attempt: 0 | 1) => ({ run: idAt(10 + attempt), host: 'tests', pid: process.pid });
const sourcesIn = (folder: string): string => join(folder, 'sources');
const originIn = (folder: string): string => join(folder, 'origin');

async function backUpOlder(repo: Repository, folder: string): Promise<void> {
  for (const plan of OLDER) await backUp(repo, plan, sourcesIn(folder));
}

const BACKUP = {
  prepare: backUpOlder,
  keeps: OLDER,
  brings: (attempt: 0 | 1) => [next(attempt)],
  removes: [],
};

export const OPERATIONS: readonly Operation[] = [
  {
    name: 'backup',
    ...BACKUP,
    run: (repo, folder, attempt, onDone) => backUp(repo, next(attempt), sourcesIn(folder), onDone),
  },
  { name: 'hasty backup', ...BACKUP, run: hastyBackup },
  {
    name: 'forget',
    prepare: backUpOlder,
    keeps: [SECOND],
    brings: () => [],
    removes: [FIRST],
    async run(repo, _, attempt, onDone) {
      await repo.forget({ owner: owner(attempt), rules: { last: 1 }, minimum: 1 });
      onDone?.();
    },
  },
  {
    name: 'prune',
    prepare: withGarbage,
    keeps: OLDER,
    brings: () => [],
    removes: [],
    async run(repo, _, attempt, onDone) {
      await repo.prune({ owner: owner(attempt), ballastBytes: 1000 });
      onDone?.();
    },
  },
  {
    name: 'copy',
    async prepare(repo, folder) {
      const origin = await initRepository(originIn(folder), CLUSTER);
      for (const plan of [...OLDER, next(0)]) await backUp(origin, plan, sourcesIn(folder));
      await repo.copyFrom(origin, { owner: owner(0), ids: [FIRST.id] });
    },
    keeps: [FIRST],
    brings: () => [SECOND, next(0)],
    removes: [],
    async run(repo, folder, attempt, onDone) {
      await repo.copyFrom(await openRepository(originIn(folder)), { owner: owner(attempt) });
      onDone?.();
    },
  },
];

export function operation(name: string): Operation {
  const found = OPERATIONS.find((o) => o.name === name);
  if (found === undefined) throw new Error(`no operation ${name}`);
  return found;
}

/** What a prune has to do: a backup was forgotten, a run died, and the disk has a ballast. */
async function withGarbage(repo: Repository, folder: string, place: Place): Promise<void> {
  await backUpOlder(repo, folder);
  await backUp(repo, GONE, sourcesIn(folder));
  await repo.forget({ owner: owner(0), ids: [GONE.id], minimum: 1 });
  const lease = await repo.acquireLease('write', { run: DEAD.id, host: 'tests', pid: process.pid });
  const writer = repo.objectWriter({ run: DEAD.id, writer: 'n1' });
  await writer.putFile(join(sourcesIn(folder), DEAD.state, 'n1', 'e'));
  await writer.flush();
  const large = contentOf('unfinished*9000000');
  const staged = await place
    .backend()
    .openBatch(incomingPrefix(DEAD.id, 'n2'))
    .stage({ key: LOST_KEY, size: large.length });
  await staged.write(large);
  await staged.end();
  await lease.leave();
  place.age();
  await repo.makeBallast(1000);
}

/** The sabotaged one: its manifest is there before its objects. What stands on it must go red. */
async function hastyBackup(repo: Repository, folder: string, attempt: 0 | 1, onDone?: () => void): Promise<void> {
  const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
  cpSync(repo.location, elsewhere, { recursive: true });
  const other = await openRepository({ location: elsewhere });
  await backUp(other, next(attempt), sourcesIn(folder));
  for (const place of ['backups', 'listings', 'objects']) {
    for (const entry of readdirSync(join(elsewhere, place), { recursive: true, withFileTypes: true })) {
      const from = join(entry.parentPath, entry.name);
      const to = join(repo.location, from.slice(elsewhere.length + 1));
      if (entry.isDirectory()) mkdirSync(to, { recursive: true });
      else if (!existsSync(to)) await appendFile(to, readFileSync(from));
    }
  }
  onDone?.();
}

/** Where a case on a path has its repository. */
export const repositoryIn = (folder: string): string => join(folder, 'repository');
export const placeIn = (folder: string): Place => pathPlace(repositoryIn(folder));

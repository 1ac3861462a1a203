/** What can be done to the repositories of a world, as the engine does it. */
import { SkepError } from '../../../../../src/errors.ts';
import {
  encodingOf,
  type FileEntry,
  fileEntry,
  type ListingChange,
  type ListingRef,
  type ObjectWriter,
  type Repository,
} from '../../../../../src/repository/index.ts';
import { contentOf, type Files, nextRun, open, ownerOf, type World } from './world.ts';

export type Step =
  | { do: 'backup'; changes: Record<string, number>; compression: 'off' | 'auto'; update: boolean }
  | { do: 'forget'; nth: number }
  | { do: 'prune'; takeAway: boolean }
  | { do: 'copy'; last: number }
  | { do: 'verify'; level: 'structure' | 'presence' | 'data' }
  | { do: 'lay out'; nth: number }
  | { do: 'unlock' }
  | { do: 'together'; steps: readonly Step[] };

/** So long may one operation take by the real clock. */
const MOST_MS = 60_000;

/** Does it, and complains where an operation ended in a way in which none may end. Counts successes and failures. */
export async function take(world: World, step: Step, tell: (what: string, error?: unknown) => void): Promise<string[]> {
  if (step.do === 'together') return (await Promise.all(step.steps.map((one) => take(world, one, tell)))).flat();
  try {
    await inTime(step.do, carryOut(world, step));
    tell(step.do);
    return [];
  } catch (error) {
    tell(step.do, error);
    if (error instanceof SkepError && error.code !== 'internal') return [];
    return [`${step.do} ended with ${error instanceof Error ? error.stack : String(error)}`];
  }
}

async function inTime(what: string, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`HANG: ${what} does not end`)), MOST_MS);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function carryOut(world: World, step: Exclude<Step, { do: 'together' }>): Promise<void> {
  switch (step.do) {
    case 'backup':
      return backUp(world, step);
    case 'forget':
      return forget(world, step.nth);
    case 'prune':
      return prune(world, step.takeAway);
    case 'copy':
      return copy(world, step.last);
    case 'verify':
      return open(world, 0).then(async (repo) => void (await repo.verify({ level: step.level })));
    case 'lay out':
      return layOut(world, step.nth);
    case 'unlock':
      return unlock(world, 0);
  }
}

async function backUp(world: World, step: Step & { do: 'backup' }): Promise<void> {
  Object.assign(world.files, step.changes);
  const files = { ...world.files };
  const run = nextRun();
  const known = { files, state: 'unsaid' as 'unsaid' | 'said' };
  world.places[0].backups.set(run, known);
  const repo = await open(world, 0);
  const lease = await repo.acquireLease('write', ownerOf(run));
  try {
    const writer = repo.objectWriter({ run, writer: 'n1', compression: step.compression });
    try {
      const ref = step.update ? await update(world, repo, writer, files) : await write(repo, writer, files);
      await writer.close();
      const part = { node: 'n1', store: 'files', ...ref, newBytes: writer.totals.newBytes };
      const at = new Date(Date.UTC(2026, 0, 1)).toISOString();
      const when = { startedAt: at, finishedAt: at, consistency: 'cut', cutMicros: '1767225600000001' } as const;
      await repo.publish({ id: run, ...when, parts: [part], details: { files: part.files } }, { lease });
      known.state = 'said';
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } finally {
    // The engine goes on when it cannot clean up.
    await repo.discardRun(run).catch(onlyTyped);
    await lease.release().catch(onlyTyped);
  }
}

async function write(repo: Repository, writer: ObjectWriter, files: Files): Promise<ListingRef> {
  const entries = [];
  for (const path of Object.keys(files).sort()) {
    entries.push(fileEntry(path, await writer.putBytes(contentOf(files[path] as number))));
  }
  return repo.writeListing(entries, writer);
}

/** From the listing of the newest backup, where that has so many files that few change. */
async function update(world: World, repo: Repository, writer: ObjectWriter, files: Files): Promise<ListingRef> {
  const [newest] = (await repo.manifests()).filter((b) => b.state === 'complete');
  const before = newest && world.places[0].backups.get(newest.id)?.files;
  const part = newest?.manifest.parts[0];
  if (before === undefined || part === undefined) return write(repo, writer, files);
  const changes: ListingChange[] = [];
  // One that ran beside this one may have files that this one does not know.
  for (const path of [...new Set([...Object.keys(files), ...Object.keys(before)])].sort()) {
    if (files[path] === before[path]) continue;
    if (files[path] === undefined) {
      changes.push({ path, entry: undefined });
      continue;
    }
    const stored = await writer.putBytes(contentOf(files[path]));
    changes.push({ path, entry: fileEntry(path, stored) });
  }
  return repo.updateListing(part, changes, writer);
}

async function forget(world: World, nth: number): Promise<void> {
  const repo = await open(world, 0);
  const ids = [...world.places[0].backups].filter(([, { state }]) => state === 'said').map(([id]) => id);
  const id = ids[nth % ids.length];
  if (id === undefined) return;
  const known = world.places[0].backups.get(id);
  if (known) known.state = 'let go';
  await repo.forget({ owner: ownerOf(nextRun()), ids: [id], minimum: 0 });
}

async function prune(world: World, takeAway: boolean): Promise<void> {
  const repo = await open(world, 0);
  const judge = takeAway ? { judgeStaleMs: -1 } : { wait: false };
  await repo.prune({ owner: ownerOf(nextRun()), pollMs: 1, ...judge });
}

async function copy(world: World, last: number): Promise<void> {
  const [source, target] = world.places;
  const [from, to] = [await open(world, 0), await open(world, 1)];
  // What the copy of one may be is what the one is.
  for (const [id, { files }] of source.backups) {
    if (!target.backups.has(id)) target.backups.set(id, { files, state: 'unsaid' });
  }
  const report = await to.copyFrom(from, { owner: ownerOf(nextRun()), last });
  for (const { from: origin, id } of report.copied) {
    target.backups.set(id, { files: source.backups.get(origin)?.files ?? {}, state: 'said' });
  }
}

async function layOut(world: World, nth: number): Promise<void> {
  const repo = await open(world, 0);
  const complete = (await repo.manifests()).filter((b) => b.state === 'complete');
  const backup = complete[nth % complete.length];
  if (backup === undefined) return;
  const files = world.places[0].backups.get(backup.id)?.files ?? {};
  const complaints = await differences(repo, backup.id, files);
  if (complaints.length > 0) throw new Error(`laid out with success: ${complaints.join()}`);
}

/** Takes every lease away, as a person does who knows that nothing runs. */
export async function unlock(world: World, at: 0 | 1): Promise<void> {
  const repo = await open(world, at);
  const ids = (await repo.leases()).map(({ id }) => id);
  await repo.unlock(ids, { by: 'a person', force: true });
}

/** What a backup gives that was not given to it. */
export async function differences(repo: Repository, id: string, files: Files): Promise<string[]> {
  const complaints: string[] = [];
  const lacking = new Set(Object.keys(files));
  for (const part of (await repo.readManifest(id)).parts) {
    for await (const entry of repo.readListing(part)) {
      const wanted = files[entry.path];
      if (!lacking.delete(entry.path) || wanted === undefined) complaints.push(`${id} has ${entry.path}`);
      else if (entry.linkTo !== undefined) complaints.push(`${id} has a link ${entry.path}`);
      else if (!(await readAll(repo, entry)).equals(contentOf(wanted))) {
        complaints.push(`${id} has another content of ${entry.path}`);
      }
    }
  }
  for (const path of lacking) complaints.push(`${id} lacks ${path}`);
  return complaints;
}

async function readAll(repo: Repository, entry: FileEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await repo.readObject(entry.object, { prefer: encodingOf(entry) }))
    chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function onlyTyped(error: unknown): void {
  if (!(error instanceof SkepError) || error.code === 'internal') throw error;
}

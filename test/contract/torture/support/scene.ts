/** A repository with older backups, what they must give back, and what operations the tests do to it. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  fileEntry,
  type ListingEntry,
  type ManifestPart,
  newBackupId,
  type Repository,
} from '../../../../src/repository/index.ts';

export const CLUSTER = { clusterName: 'prod', clusterId: 'c-1' };

/** Contents by path, each given by a word: long contents would fill the tests' own records. */
export type Files = Readonly<Record<string, string>>;

/** `word` small · `word*123456` that many bytes that do not shrink · `word~123456` that many that do. */
export function contentOf(recipe: string): Buffer {
  let content = contents.get(recipe);
  if (content === undefined) contents.set(recipe, (content = make(recipe)));
  return content;
}

const contents = new Map<string, Buffer>();

function make(recipe: string): Buffer {
  const [, word = recipe, kind, length] = /^(.*)([*~])(\d+)$/.exec(recipe) ?? [];
  if (kind === undefined) return Buffer.from(recipe);
  const block = kind === '~' ? Buffer.from(`${word} `) : undefined;
  const size = Number(length);
  if (block !== undefined) return Buffer.alloc(size, block);
  const chunks: Buffer[] = [];
  for (let n = 0; n * 32 < size; n++) chunks.push(createHash('sha256').update(`${word}${n}`).digest());
  return Buffer.concat(chunks).subarray(0, size);
}

export interface BackupPlan {
  id: string;
  /** The state of the nodes that it backs up: a rerun is another backup of the same state. */
  state: string;
  /** One part for each node: what its writer stores. */
  nodes: Readonly<Record<string, Files>>;
}

const at = (minutes: number): Date => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);

/** The same in every process. */
export function idAt(minutes: number): string {
  return newBackupId(at(minutes)).replace(/[0-9a-f]{12}$/, minutes.toString(16).padStart(12, '0'));
}

/** Lays out the files of a plan, one folder a node. */
export function writeSources(plan: BackupPlan, folder: string): void {
  for (const [node, files] of Object.entries(plan.nodes)) {
    mkdirSync(join(folder, plan.state, node), { recursive: true });
    for (const [path, recipe] of Object.entries(files)) {
      writeFileSync(join(folder, plan.state, node, path), contentOf(recipe));
    }
  }
}

/** A backup as the engine makes it: log, lease, one writer a node, publish, and everything is given back. */
export async function backUp(
  repo: Repository,
  plan: BackupPlan,
  sources: string,
  onPublished: () => void = () => {},
): Promise<void> {
  const log = repo.runLog(plan.id);
  log.write({ type: 'run-started' });
  const lease = await repo.acquireLease('write', { run: plan.id, host: 'tests', pid: process.pid });
  try {
    const parts: ManifestPart[] = [];
    // One after the other: so a run takes the same steps each time.
    for (const node of Object.keys(plan.nodes)) parts.push(await storePart(repo, plan, node, sources));
    const [startedAt, finishedAt] = [at(0).toISOString(), at(1).toISOString()];
    const cut = { consistency: 'cut', cutMicros: '1767225600000001' } as const;
    await repo.publish({ id: plan.id, startedAt, finishedAt, ...cut, parts, details: { by: 'tests' } }, { lease });
    onPublished();
    log.write({ type: 'published' });
  } finally {
    await repo.discardRun(plan.id);
    await lease.release();
    await log.flush();
  }
}

async function storePart(repo: Repository, plan: BackupPlan, node: string, sources: string): Promise<ManifestPart> {
  const writer = repo.objectWriter({ run: plan.id, writer: node, compression: 'auto' });
  try {
    const entries: ListingEntry[] = [];
    for (const path of Object.keys(plan.nodes[node] ?? {}).sort()) {
      entries.push(fileEntry(path, await writer.putFile(join(sources, plan.state, node, path))));
    }
    const ref = await repo.writeListing(entries, writer);
    await writer.close();
    return { node, store: 'files', ...ref, newBytes: writer.totals.newBytes };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Reads a backup back, every file; complaints where it is not what the plan says. */
export async function readBack(repo: Repository, plan: BackupPlan): Promise<string[]> {
  try {
    return await differences(repo, plan);
  } catch (error) {
    return [`${plan.id} cannot be read back: ${String(error)}`];
  }
}

async function differences(repo: Repository, plan: BackupPlan): Promise<string[]> {
  const complaints: string[] = [];
  const { parts } = await repo.readManifest(plan.id);
  for (const [node, files] of Object.entries(plan.nodes)) {
    const part = parts.find((p) => p.node === node);
    const wanted = new Map(Object.entries(files));
    if (part === undefined) complaints.push(`${plan.id} has no part of ${node}`);
    else {
      for await (const entry of repo.readListing(part)) {
        const recipe = wanted.get(entry.path);
        wanted.delete(entry.path);
        if (entry.linkTo !== undefined || recipe === undefined) complaints.push(`${plan.id} ${node} has ${entry.path}`);
        else if (!(await readAll(repo, entry.object)).equals(contentOf(recipe)))
          complaints.push(`${plan.id} ${node} ${entry.path} has another content`);
      }
    }
    for (const path of wanted.keys()) complaints.push(`${plan.id} ${node} lacks ${path}`);
  }
  return complaints;
}

async function readAll(repo: Repository, object: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await repo.readObject(object)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

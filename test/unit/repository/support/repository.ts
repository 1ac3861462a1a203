import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import {
  type Compression,
  fileEntry,
  newBackupId,
  type ListingEntry,
  type Manifest,
  type Repository,
} from '../../../../src/repository/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';

export const CLUSTER = { clusterName: 'prod', clusterId: 'c-1' };

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skep-repository-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function memoryRepository(): Promise<{ repo: Repository; backend: MemoryBackend }> {
  const backend = new MemoryBackend();
  return { repo: await initOnBackend(backend, CLUSTER), backend };
}

let minutes = 0;

/** Ids that ascend with every call. */
export function nextBackupId(): string {
  return newBackupId(new Date(Date.UTC(2026, 0, 1) + minutes++ * 60_000));
}

/** Stores and publishes some files as one part; keys are paths. */
export async function backUp(
  repo: Repository,
  files: Readonly<Record<string, string | Buffer>>,
  compression: Compression = 'off',
): Promise<Manifest> {
  const id = nextBackupId();
  const node = 'n1';
  const writer = repo.objectWriter({ run: id, writer: node, compression });
  const entries: ListingEntry[] = [];
  for (const path of Object.keys(files).sort()) {
    const stored = await writer.putBytes(Buffer.from(files[path] as string));
    entries.push(fileEntry(path, stored));
  }
  const ref = await repo.writeListing(entries, writer);
  await writer.close();
  return publishPart(repo, id, { node, store: 'files', ...ref, newBytes: writer.totals.newBytes });
}

/** The paths of a listing of which `readStored` says that they need not be read. */
export async function wholePaths(repo: Repository, part: { root: string; files: number }): Promise<string[]> {
  const found: string[] = [];
  await repo.readStored(part, ({ paths, whole }) => found.push(...paths.filter((_, i) => whole[i] === 1)));
  return found;
}

export function publishPart(
  repo: Repository,
  id: string,
  part: Manifest['parts'][number],
  options: Parameters<Repository['publish']>[1] = {},
): Promise<Manifest> {
  const at = new Date(Date.UTC(2026, 0, 1)).toISOString();
  const parts = [part];
  return repo.publish(
    {
      id,
      startedAt: at,
      finishedAt: at,
      consistency: 'cut',
      cutMicros: '1767225600000001',
      parts,
      details: {},
    },
    options,
  );
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function writeTemporary(folder: string, name: string, bytes: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

import { randomBytes } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import { makeFolder } from '../make-folder.ts';
import { openRepository } from '../repository/index.ts';
import { placeOf } from './access-to.ts';

/**
 * Makes the file of the naming key where the configuration names one that is absent, unless there is a repository
 * already, which has a naming key of its own. Gives the file that it made.
 */
export async function ensureNamingKey(cluster: ClusterConfig): Promise<string | undefined> {
  const path = await lacksNamingKey(cluster);
  if (path === undefined || (await repositoryIsThere(cluster))) return undefined;
  try {
    makeFolder(dirname(path), 0o700);
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${randomBytes(32).toString('hex')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return path;
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'failed';
    throw new SkepError('secret-unreadable', `cannot make the naming key ${path}: ${why}`, { cause });
  }
}

/** The file that is to hold the naming key, where there is none. */
export async function lacksNamingKey(cluster: ClusterConfig): Promise<string | undefined> {
  const source = cluster.repository.sealing?.naming_key;
  if (source === undefined || !('file' in source)) return undefined;
  return (await stat(source.file).catch(() => undefined)) === undefined ? source.file : undefined;
}

/** Whether there is a repository where the configuration says, whatever its keys. */
export async function repositoryIsThere(cluster: ClusterConfig): Promise<boolean> {
  try {
    await openRepository(await placeOf(cluster));
    return true;
  } catch (error) {
    if (error instanceof SkepError && error.code === 'repository-missing') return false;
    throw error;
  }
}

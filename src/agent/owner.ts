import { lchown, lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SkepError } from '../errors.ts';

/** Who files must belong to: the server that reads them runs as this user. */
export interface Owner {
  uid: number;
  gid: number;
}

/**
 * Whose the folder is, or the first one above it that is there; undefined when this agent is that user, or could not
 * give files away anyhow.
 */
export async function ownerToGive(folder: string): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = await nearest(folder);
  return uid === 0 && gid === 0 ? undefined : { uid, gid };
}

/** Error: `restore-failed` when it belongs to somebody else and the filesystem does not let root give it away, as NFS may. */
export async function giveTo(owner: Owner | undefined, path: string): Promise<void> {
  if (!owner) return;
  try {
    await lchown(path, owner.uid, owner.gid);
  } catch (e) {
    const { uid } = await lstat(path);
    // Such a filesystem may have made it the owner's by itself.
    if (uid === owner.uid) return;
    const why = (e as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new SkepError('restore-failed', `cannot give ${path} to user ${owner.uid}: ${why}`, {
      hint: 'Let skep log in there as the owner of the folder (`ssh.user` in skep.yaml), then run the same `skep restore`.',
      context: { path, uid: owner.uid },
      cause: e,
    });
  }
}

/** Makes a folder and those above it that are absent, all of them for `owner`. */
export async function makeFolder(folder: string, owner: Owner | undefined): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined || !owner) return;
  for (let at = folder; ; at = dirname(at)) {
    await giveTo(owner, at);
    if (at === first) return;
  }
}

async function nearest(path: string): Promise<Owner> {
  for (let at = path; ; at = dirname(at)) {
    const s = await stat(at).catch((e) => {
      if (at === '/' || (e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
    });
    if (s) return s;
  }
}

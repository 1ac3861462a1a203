import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pinRoot } from '../cut/pins.ts';
import { segmentsOf } from '../cut/segment-name.ts';
import { SkepError } from '../errors.ts';
import type { CommitlogLook } from '../protocol/methods.ts';
import { tryLink } from './try-link.ts';

/** What a backup needs of a commit log folder: that its segments can be read, and linked into the folder for pins. */
export async function lookAtCommitlog(commitlogDir: string): Promise<CommitlogLook> {
  const segments = segmentsOf(await readNames(commitlogDir));
  const stats = [];
  for (const s of segments) {
    const found = await stat(join(commitlogDir, s.name)).catch(() => undefined);
    // Gone meanwhile: Cassandra has flushed it.
    if (found) stats.push({ name: s.name, size: found.size, uid: found.uid });
  }
  const newest = stats.at(-1);
  const pinFolder = await pinRoot(commitlogDir);
  const look: CommitlogLook = {
    pinFolder,
    segments: stats.length,
    bytes: stats.reduce((n, s) => n + s.size, 0),
  };
  if (!newest) return look;
  const file = join(commitlogDir, newest.name);
  const unreadable = await whyUnreadable(file);
  const refused = await tryLink(file, pinFolder);
  return {
    ...look,
    uid: newest.uid,
    ...(unreadable === undefined ? {} : { unreadable }),
    ...(refused === undefined || refused === 'gone' ? {} : { refused }),
  };
}

async function readNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new SkepError('file-unreadable', `cannot read the commit log folder ${folder}: ${code}`, {
      hint: "Run the agent as Cassandra's own user.",
      cause: e,
    });
  }
}

async function whyUnreadable(file: string): Promise<string | undefined> {
  try {
    await (await open(file)).close();
    return undefined;
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    return code === 'ENOENT' ? undefined : (code ?? String(e));
  }
}

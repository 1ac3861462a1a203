import { mkdtemp, rmdir } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Puts a filesystem over a folder on which nothing can be made (its only inode is the folder itself): the kernel says that no
 * space is left, as on a full disk. What it gives takes it away again. Synchronous: a stage of a backup is short.
 */
export function fillUp(folder: string): () => void {
  const made = mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k,nr_inodes=1,mode=1777', 'full', folder]);
  return () => {
    execFileSync('umount', [folder]);
    if (made !== undefined) rmdirSync(folder);
  };
}

/** Whether this process may mount: as root, in a container that lets it. */
export async function canFillUp(): Promise<boolean> {
  const folder = await mkdtemp(path.join(tmpdir(), 'skep-mount-'));
  try {
    fillUp(folder)();
    return true;
  } catch {
    return false;
  } finally {
    await rmdir(folder);
  }
}

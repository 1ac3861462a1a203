import { linkSync, statSync } from 'node:fs';
import { SkepError } from '../../../errors.ts';
import { errnoCode } from './fs-error.ts';

/** Answers of filesystems that have no hard links, such as FAT, some of SMB and of FUSE. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Links without ever replacing. False when the name is taken by another file. On NFS a retransmitted link answers EEXIST
 * although it succeeded: the inode tells.
 */
export function linkCreateOnly(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = errnoCode(error) ?? '';
    // Of a file of somebody else EPERM may come from `protected_hardlinks`.
    if (NO_LINKS.has(code) && statSync(from).uid === process.geteuid?.()) throw noLinks(to, code, error);
    if (code !== 'EEXIST') throw error;
    return statSync(from, { bigint: true }).ino === statSync(to, { bigint: true }).ino;
  }
}

function noLinks(path: string, code: string, cause: unknown): SkepError {
  const hint =
    'Contents are published by hard links: choose a folder on a filesystem that has them (ext4, xfs, btrfs, NFS), or S3.';
  return new SkepError('repository-unfit', `the filesystem of ${path} makes no hard links: ${code}`, { cause, hint });
}

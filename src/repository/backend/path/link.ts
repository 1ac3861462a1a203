import { linkSync, statSync } from 'node:fs';
import { errnoCode } from './fs-error.ts';

/**
 * Links without ever replacing. False when the name is taken by another file. On NFS a retransmitted link answers EEXIST
 * although it succeeded: the inode tells.
 */
export function linkCreateOnly(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
    return statSync(from, { bigint: true }).ino === statSync(to, { bigint: true }).ino;
  }
}

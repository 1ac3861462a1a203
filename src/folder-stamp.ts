import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';

/**
 * Filesystems that stamp a folder anew with every name that comes or goes, by one clock: ext, XFS, Btrfs, ZFS, F2FS, tmpfs, NFS. Others
 * may stamp by the clock of each client, or not at all.
 */
const STAMPING = new Set([0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0xf2f52010, 0x01021994, 0x6969]);

const COARSE_NS = 1_000_000n;
/** Longer than the step of a clock that tells more than milliseconds, and of one that may tell only each other second. */
const FINE_TICK_NS = 100_000_000n;
const COARSE_TICK_NS = 3_000_000_000n;

/** What tells whether a folder has changed. */
export interface FolderStamp {
  /** Once it is settled: another one as soon as a name comes or goes, or another folder is in its place. */
  stamp: string;
  /** By the clock of the filesystem. */
  changedNs: bigint;
  /** Whether the filesystem is known to keep that promise. */
  isSure: boolean;
}

/**
 * Undefined where there is no such folder. It is opened, as for a listing: an NFS client then asks the server whether what it remembers of
 * the folder still holds, so that a stamp is never older than a listing taken now would be.
 */
export function stampOf(folder: string): FolderStamp | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    const { ino, ctimeNs, mtimeNs, size, nlink } = fs.fstatSync(descriptor, { bigint: true });
    // The time of change, which nobody can set; what else changes with the names, for good measure.
    const stamp = [ino, ctimeNs, mtimeNs, size, nlink].join(':');
    return { stamp, changedNs: ctimeNs, isSure: STAMPING.has(fs.statfsSync(folder).type >>> 0) };
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/**
 * Whether a change that comes after `nowNs` has another time than the stamp tells. `nowNs` is the filesystem's own time at a moment
 * before the stamp was taken; undefined where it is not known.
 */
export function isSettled({ changedNs }: FolderStamp, nowNs: bigint | undefined): boolean {
  const tick = changedNs % COARSE_NS === 0n ? COARSE_TICK_NS : FINE_TICK_NS;
  return nowNs !== undefined && changedNs + tick < nowNs;
}

/** What the filesystem's own clock says, in ns since 1970: the time of a folder made and removed in `place`. Undefined where that fails. */
export function clockOf(place: string): bigint | undefined {
  const folder = join(place, `now-${randomBytes(8).toString('hex')}`);
  try {
    fs.mkdirSync(folder);
    const { ctimeNs } = fs.statSync(folder, { bigint: true });
    fs.rmdirSync(folder);
    return ctimeNs;
  } catch {
    return undefined;
  }
}

import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { BALLAST_FILES, BALLAST_KEY } from '../format/names.ts';

/** What became of the ballast. `smaller`: one that fits is there instead; the next prune tries again. */
export type BallastState = 'made' | 'there' | 'smaller' | 'no-space' | 'none';

export interface Ballast {
  state: BallastState;
  /** What there is now. */
  bytes: number;
  /** How many empty files there are now. */
  inodes: number;
}

/** What a prune writes before it has removed anything takes some ten blocks. */
const SMALLEST = 64 << 10;

/** What it writes has some ten files and folders. */
const BALLAST_INODES = 32;

/** Where there are fewer: left to who takes a lease. Half, as of the bytes, would be ever less from prune to prune. */
const SPARE_INODES = 4;

const EMPTY_FILES = Array.from({ length: BALLAST_INODES }, (_, i) => `${BALLAST_FILES}${i}`);

/**
 * Makes the files whose only use is that a prune on a full disk can delete them first: one with bytes and, since a disk may
 * be out of inodes too, empty ones. Less of both where it does not fit: any is better than none. 0 bytes: none is wanted.
 */
export async function makeBallast(backend: Backend, bytes: number): Promise<Ballast> {
  const held = await holdBytes(backend, bytes);
  if (bytes === 0) {
    await dropInodes(backend);
    return { ...held, inodes: 0 };
  }
  const inodes = await holdInodes(backend);
  const isLess = inodes < BALLAST_INODES && held.state !== 'no-space';
  return { ...held, ...(isLess ? { state: 'smaller' } : {}), inodes };
}

async function holdBytes(backend: Backend, bytes: number): Promise<Omit<Ballast, 'inodes'>> {
  const [found] = await backend.sizes([BALLAST_KEY]);
  if (bytes > 0 && found === bytes) return { state: 'there', bytes };
  // To try again would fill the disk for a moment, beside whoever writes.
  if (found !== undefined && found >= SMALLEST && found < bytes) return { state: 'smaller', bytes: found };
  await backend.delete(BALLAST_KEY);
  if (bytes === 0) return { state: 'none', bytes };
  if (await fits(backend, BALLAST_KEY, bytes)) return { state: 'made', bytes };
  for (let size = Math.floor(bytes / 2); size >= SMALLEST; size = Math.floor(size / 2)) {
    if (!(await fits(backend, BALLAST_KEY, size))) continue;
    if (size < 2 * SMALLEST) return { state: 'smaller', bytes: size };
    // As much is left for backups.
    await backend.delete(BALLAST_KEY);
    size = Math.floor(size / 2);
    if (await fits(backend, BALLAST_KEY, size)) return { state: 'smaller', bytes: size };
  }
  return { state: 'no-space', bytes: 0 };
}

/** Gives how many files there are now. */
async function holdInodes(backend: Backend): Promise<number> {
  const found = await backend.names(BALLAST_FILES);
  // As of the bytes: fewer are left as they are until the next prune, which begins with none.
  if (found.size > 0) return found.size;
  for (const [i, key] of EMPTY_FILES.entries()) {
    if (await fits(backend, key, 0)) continue;
    const kept = Math.max(0, i - SPARE_INODES);
    await backend.deleteMany(EMPTY_FILES.slice(kept, i));
    return kept;
  }
  return BALLAST_INODES;
}

/** Random bytes: a filesystem that compresses would give no room for others. */
async function fits(backend: Backend, key: string, bytes: number): Promise<boolean> {
  try {
    await backend.put(key, randomBytes(bytes));
    return true;
  } catch (error) {
    if (error instanceof SkepError && error.code === 'no-space') return false;
    throw error;
  }
}

export async function dropBallast(backend: Backend): Promise<void> {
  await backend.delete(BALLAST_KEY);
  await dropInodes(backend);
}

async function dropInodes(backend: Backend): Promise<void> {
  const found = [...(await backend.names(BALLAST_FILES)).keys()];
  if (found.length > 0) await backend.deleteMany(found.map((name) => `${BALLAST_FILES}${name}`));
}

/** Room on a full disk for work that writes little: that of the ballast. */
export class Room {
  readonly #backend: Backend;
  readonly #ballastBytes: number | undefined;
  #isUsed = false;

  /** `ballastBytes`: what is to be made again at the end; when absent that is left to the next prune. */
  constructor(backend: Backend, ballastBytes: number | undefined) {
    this.#backend = backend;
    this.#ballastBytes = ballastBytes;
  }

  /** Does the work; on a full disk once more without the ballast. */
  async for<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SkepError) || error.code !== 'no-space') throw error;
      await dropBallast(this.#backend);
      this.#isUsed = true;
      return work();
    }
  }

  /** The next command may need the ballast too. */
  async end(): Promise<void> {
    if (this.#isUsed && this.#ballastBytes !== undefined) await makeBallast(this.#backend, this.#ballastBytes);
  }
}

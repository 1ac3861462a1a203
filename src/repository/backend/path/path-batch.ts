import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SkepError } from '../../../errors.ts';
import { makeFolder } from '../../../make-folder.ts';
import type { Batch, ConflictPolicy, Staged } from '../backend.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';
import { linkCreateOnly } from './link.ts';
import { StagedFile } from './staged-file.ts';
import { forEachInSlices } from './slices.ts';
import { syncFilesystem } from './sync.ts';

interface Addition {
  staged: StagedFile;
  key: string;
  onConflict: ConflictPolicy;
}

/** Staged files are written without syncs; `flush` syncs the filesystem, links all, and syncs it again. */
export class PathBatch implements Batch {
  readonly #root: string;
  readonly #folder: string;
  readonly #token = randomBytes(4).toString('hex');
  #next = 0;
  #made = false;
  #additions: Addition[] = [];

  constructor(root: string, prefix: string) {
    this.#root = root;
    this.#folder = join(root, prefix);
  }

  async stage(): Promise<Staged> {
    return this.#create();
  }

  async stageBytes(bytes: Uint8Array): Promise<Staged> {
    const staged = this.#create();
    staged.writeAllSync(bytes);
    return staged;
  }

  add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    if (!(staged instanceof StagedFile)) throw new SkepError('internal', 'staged by another backend');
    this.#additions.push({ staged, key, onConflict });
  }

  async flush(): Promise<ReadonlySet<string>> {
    const additions = this.#additions;
    this.#additions = [];
    const existed = new Set<string>();
    if (additions.length === 0) return existed;
    await Promise.all(additions.map(({ staged }) => staged.written()));
    // The bytes must be on the disk before a final name can be, and the names before anything refers to them.
    await syncFilesystem(this.#root);
    await forEachInSlices(additions, (addition) => {
      if (this.#publish(addition) === 'exists') existed.add(addition.key);
    });
    await syncFilesystem(this.#root);
    await forEachInSlices(additions, ({ staged }) => staged.discardSync());
    return existed;
  }

  async close(): Promise<void> {
    this.#additions = [];
    try {
      await rm(this.#folder, { recursive: true, force: true });
      fs.rmdirSync(dirname(this.#folder));
    } catch (error) {
      // The run's folder stays while other writers of the run have theirs in it.
      if (!['ENOTEMPTY', 'ENOENT', 'EEXIST'].includes(errnoCode(error) ?? '')) {
        throw repositoryFsError(error, `remove ${this.#folder}`);
      }
    }
  }

  #create(): StagedFile {
    try {
      if (!this.#made) makeFolder(this.#folder);
      this.#made = true;
      return new StagedFile(join(this.#folder, `${this.#token}-${this.#next++}`));
    } catch (error) {
      throw repositoryFsError(error, `stage in ${this.#folder}`);
    }
  }

  #publish({ staged, key, onConflict }: Addition): 'created' | 'exists' {
    const path = join(this.#root, key);
    try {
      if (link(staged.path, path)) return 'created';
      const found = fs.statSync(path).size;
      if (found === staged.size && onConflict !== 'renew') return 'exists';
      if (onConflict === 'fail') {
        throw new SkepError('repository-failed', `${key} has ${found} bytes, not ${staged.size}`, { retryable: true });
      }
      keepDamaged(this.#root, path);
      const again = `${staged.path}-again`;
      fs.linkSync(staged.path, again);
      fs.renameSync(again, path);
      return 'created';
    } catch (error) {
      throw repositoryFsError(error, `publish ${key}`);
    }
  }
}

function link(from: string, to: string): boolean {
  try {
    return linkCreateOnly(from, to);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
    makeFolder(dirname(to));
    return linkCreateOnly(from, to);
  }
}

/** Damage is kept for whoever wants to look at it. */
function keepDamaged(root: string, path: string): void {
  const folder = join(root, 'damaged');
  makeFolder(folder);
  const kept = join(folder, `${basename(path)}-${randomBytes(4).toString('hex')}`);
  try {
    fs.linkSync(path, kept);
  } catch (error) {
    // The file of another user may be moved, not linked: for a moment it is not there.
    if (errnoCode(error) !== 'EPERM') throw error;
    fs.renameSync(path, kept);
  }
}

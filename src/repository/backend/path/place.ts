import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SkepError } from '../../../errors.ts';
import { DESCRIPTOR_KEY } from '../../format/names.ts';
import { errnoCode } from './fs-error.ts';

/** Error: `config-invalid` where no folder can be, since there is a file, or one on the way. */
export function refuseFile(location: string): void {
  for (let path = location; ; path = dirname(path)) {
    const found = kindOf(path);
    if (found === 'folder' || path === dirname(path)) return;
    if (found === 'nothing') continue;
    throw new SkepError('config-invalid', `${location} is no folder: ${path} is a file`, {
      hint: 'Name another folder, or move that file away.',
    });
  }
}

/**
 * Error: `usage` where a repository is above the place of a new one, or right below it: a prune, or who removes the outer one,
 * would take the inner one for its own.
 */
export function refuseNested(location: string): void {
  const other = repositoryAbove(location) ?? repositoryBelow(location);
  if (other === undefined) return;
  throw new SkepError('usage', `${location} and the repository at ${other} would lie in one another`, {
    hint: 'Name a folder that is in no repository and holds none.',
  });
}

/** Whether one of two folders is in the other; not where they are the same. */
export function areNested(one: string, other: string): boolean {
  const [a, b] = [realPathOf(one), realPathOf(other)];
  return a !== b && (`${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`));
}

function repositoryAbove(location: string): string | undefined {
  const start = realPathOf(location);
  for (let path = start; path !== dirname(path);) {
    path = dirname(path);
    if (isRepository(path)) return path;
  }
  return undefined;
}

function repositoryBelow(location: string): string | undefined {
  try {
    return readdirSync(location)
      .map((name) => join(location, name))
      .find(isRepository);
  } catch {
    // It is made yet, or whoever writes into it says what is wrong.
    return undefined;
  }
}

function isRepository(path: string): boolean {
  return kindOf(join(path, DESCRIPTOR_KEY)) === 'file';
}

/** As it will be when it was made: links on the way to what is there are followed. */
function realPathOf(location: string): string {
  try {
    return realpathSync(location);
  } catch {
    return location === dirname(location) ? location : join(realPathOf(dirname(location)), basename(location));
  }
}

function kindOf(path: string): 'file' | 'folder' | 'nothing' {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ENOTDIR') return 'nothing';
    // Out of reach: whatever is done with it next says so.
    return 'folder';
  }
}

import { join, resolve, sep } from 'node:path';
import { SkepError } from '../errors.ts';

/** The path of what a backup names, below a folder. `object-damaged` when it would lie elsewhere, whoever has let the name pass. */
export function contained(folder: string, ...names: string[]): string {
  const path = resolve(join(folder, ...names));
  const root = resolve(folder);
  if (path.startsWith(root === sep ? sep : `${root}${sep}`)) return path;
  throw new SkepError('object-damaged', `${names.join('/')} lies outside of ${folder}`, {
    hint: 'Do not use this backup: find out who can write to the repository.',
  });
}

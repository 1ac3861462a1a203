import type { Backend } from './backend/backend.ts';
import { folderOfObjects } from './format/names.ts';

/** What `Backend.marks` tells of the folders of objects, by their two digits; of those that are not in it nothing is known. */
export type FolderMarks = Record<string, string>;

const FOLDERS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'));

export async function takeMarks(backend: Backend): Promise<FolderMarks> {
  const marks = (await backend.marks?.(FOLDERS.map(folderOfObjects))) ?? [];
  return Object.fromEntries(FOLDERS.flatMap((folder, i) => (marks[i] === undefined ? [] : [[folder, marks[i]]])));
}

/** The folders of objects of which both say the same. */
export function unchanged(before: FolderMarks, now: FolderMarks): ReadonlySet<string> {
  return new Set(FOLDERS.filter((folder) => before[folder] !== undefined && before[folder] === now[folder]));
}

/** Whether all objects whose keys are at `first` or behind it, and before `end`, are in some of the folders. */
export function areIn(folders: ReadonlySet<string>, first: string, end: string): boolean {
  const [from, to] = [FOLDERS.indexOf(folderOf(first)), FOLDERS.indexOf(folderOf(end))];
  return from >= 0 && to >= from && FOLDERS.slice(from, to + 1).every((folder) => folders.has(folder));
}

/** Empty for a key that is not one of an object. */
function folderOf(key: string): string {
  return /^objects\/([0-9a-f]{2})\//.exec(key)?.[1] ?? '';
}

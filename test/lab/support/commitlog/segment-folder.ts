import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseSegmentName } from '../../../../src/commitlog/index.ts';
import type { NamedSegment } from './describe-segments.ts';

/** The segments of a folder with their bytes, in the order of their ids. */
export async function readSegmentFolder(folder: string): Promise<NamedSegment[]> {
  const names = (await readdir(folder)).filter((n) => parseSegmentName(n) !== undefined).sort();
  return await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(path.join(folder, name)) })));
}

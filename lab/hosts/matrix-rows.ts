import { readFile } from 'node:fs/promises';

/** The stages of a backup, in the order in which they begin; each fault of the matrix begins with each of them. */
export const MATRIX_STAGES = [
  'discover',
  'config',
  'files',
  'pin',
  'snapshot',
  'linger',
  'sstables',
  'search-snapshot',
  'segments',
  'release',
  'files-2',
  'elasticsearch',
  'publish',
] as const;

/** One fault in one stage: how the backup ended, and what did not hold. */
export interface MatrixRow {
  /** `STAGE / FAULT`. */
  case: string;
  exitCode: number;
  code?: string | undefined;
  /** Of the backup that had the fault. */
  seconds: number;
  /** From the fault until no agent ran that had lost its controller by it; undefined also where none had. */
  goneSeconds?: number | undefined;
  /** Whatever is not as it must be; nothing when `ok`. */
  failed: string[];
  ok: boolean;
}

/** The last row of each case: one that failed is done again. Several processes may append to the file. */
export async function lastRows(file: string): Promise<MatrixRow[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const rows = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as MatrixRow]));
  return [...new Map(rows.map((row) => [row.case, row])).values()];
}

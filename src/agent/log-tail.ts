import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Results } from '../protocol/methods.ts';

/** How far back a log is read at most, in bytes: a day of a busy server is less. */
const MOST = 128 * 1024 * 1024;
/** How much is looked at to find where the wanted time begins; doubled until it does. */
const PROBE = 256 * 1024;

/** The lines of level ERROR or FATAL of some logs that were written since `sinceMs`, newest last. */
export async function recentErrors(
  files: readonly string[],
  sinceMs: number,
  maxLines: number,
  most = MOST,
): Promise<Results['node.logs']> {
  const lines: Results['node.logs']['lines'] = [];
  const unreadable: string[] = [];
  const cutShort: string[] = [];
  for (const file of files) {
    try {
      const { from, reached } = await beginningOf(file, sinceMs, most);
      if (!reached) cutShort.push(file);
      // The first may be the rest of a line, of which nothing can be told.
      let isFirst = from > 0;
      for await (const line of createInterface({ input: createReadStream(file, { start: from }) })) {
        if (!isFirst && isError(line) && isSince(line, sinceMs)) {
          const atMs = timeOf(line);
          lines.push({ file, line: line.slice(0, 500), ...(atMs === undefined ? {} : { atMs }) });
          if (lines.length > 2 * maxLines) lines.splice(0, lines.length - maxLines);
        }
        isFirst = false;
      }
    } catch {
      unreadable.push(file);
    }
  }
  return { lines: lines.slice(-maxLines), unreadable, cutShort };
}

/** Where to begin: a place before which every line is older. Not `reached` when that is more than `most` from the end. */
async function beginningOf(file: string, sinceMs: number, most: number): Promise<{ from: number; reached: boolean }> {
  const h = await open(file);
  try {
    const { size } = await h.stat();
    for (let back = PROBE; back < size; back *= 2) {
      if (back > most) return { from: size - most, reached: false };
      const first = await firstTime(h, size - back);
      if (first !== undefined && first < sinceMs) return { from: size - back, reached: true };
    }
    return { from: 0, reached: true };
  } finally {
    await h.close();
  }
}

async function firstTime(h: FileHandle, at: number): Promise<number | undefined> {
  const { buffer, bytesRead } = await h.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, at);
  const [, ...lines] = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
  return lines.map(timeOf).find((t) => t !== undefined);
}

/** By the first word that is a level: the message behind it may tell of errors. */
function isError(line: string): boolean {
  const level = /\b(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b|\[(error|fatal|warn|info|debug)\]/.exec(line);
  return /^(ERROR|FATAL)$/i.test(level?.[1] ?? level?.[2] ?? '');
}

function isSince(line: string, sinceMs: number): boolean {
  const at = timeOf(line);
  return at === undefined || at >= sinceMs;
}

/** `2026-11-22 23:01:43,907` or with a `T`; in the time zone of the node where it has none. Undefined without a time. */
function timeOf(line: string): number | undefined {
  const m = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?/.exec(line);
  if (!m) return undefined;
  const t = Date.parse(`${m[1]}T${m[2]}${m[3] ?? ''}`);
  return Number.isNaN(t) ? undefined : t;
}

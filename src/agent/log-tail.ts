import { open } from 'node:fs/promises';
import type { Results } from '../protocol/methods.ts';

/** Only the end of a log is read: this many bytes. */
const TAIL = 2 * 1024 * 1024;

/** The lines of level ERROR or FATAL of some logs that were written since `sinceMs`, newest last. */
export async function recentErrors(
  files: readonly string[],
  sinceMs: number,
  maxLines: number,
): Promise<Results['node.logs']> {
  const lines: Results['node.logs']['lines'] = [];
  const unreadable: string[] = [];
  for (const file of files) {
    let text;
    try {
      text = await tail(file);
    } catch {
      unreadable.push(file);
      continue;
    }
    for (const line of text.split('\n')) {
      if (!/\b(ERROR|FATAL)\b/.test(line)) continue;
      const atMs = timeOf(line);
      if (atMs !== undefined && atMs < sinceMs) continue;
      lines.push({ file, line: line.slice(0, 500), ...(atMs === undefined ? {} : { atMs }) });
    }
  }
  return { lines: lines.slice(-maxLines), unreadable };
}

async function tail(file: string): Promise<string> {
  const h = await open(file);
  try {
    const { size } = await h.stat();
    const length = Math.min(size, TAIL);
    const { buffer, bytesRead } = await h.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await h.close();
  }
}

/** `2026-11-22 23:01:43,907` or with a `T`, in the time zone of the node; undefined when the line has no time. */
function timeOf(line: string): number | undefined {
  const m = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/.exec(line);
  if (!m) return undefined;
  const t = Date.parse(`${m[1]}T${m[2]}`);
  return Number.isNaN(t) ? undefined : t;
}

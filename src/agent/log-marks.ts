import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createInflateRaw } from 'node:zlib';
import type { LogMark, Results } from '../protocol/methods.ts';

/** More lines tell no more. */
const MAX_LINES = 10;

/**
 * Notes where each log ends now. What is written later is found by that, not by the times in its lines: they are in the time
 * zone of whoever wrote them.
 */
export async function markLogs(files: readonly string[]): Promise<Results['look.logs']> {
  const marks: LogMark[] = [];
  const unreadable: Results['look.logs']['unreadable'] = [];
  for (const file of files) {
    try {
      // First: what it is rolled to from now on counts as new.
      const rolled = (await rolledFrom(file)).map((r) => r.key);
      const h = await open(file);
      try {
        const s = await h.stat();
        marks.push({ file, id: idOf(s), size: s.size, rolled });
      } finally {
        await h.close();
      }
    } catch (e) {
      unreadable.push({ file, why: reasonOf(e) });
    }
  }
  return { marks, unreadable };
}

/**
 * The lines of Cassandra's logs since their marks that tell of `nodetool import` or `refresh` into a keyspace, also of one
 * that had begun before. Logs that were rolled meanwhile are followed, packed or not.
 */
export async function importsSince(marks: readonly LogMark[], keyspace: string): Promise<Results['look.imports']> {
  const tells = new RegExp(
    `(?:Loading|Done loading load) new SSTables (?:and building secondary indexes )?for ${keyspace}/`,
  );
  const lines: string[] = [];
  const unseen: Results['look.imports']['unseen'] = [];
  for (const mark of marks) {
    try {
      for await (const line of linesSince(mark)) {
        if (tells.test(line) && lines.length < MAX_LINES) lines.push(line.slice(0, 500));
      }
    } catch (e) {
      unseen.push({ file: mark.file, why: reasonOf(e) });
    }
  }
  return { lines, unseen };
}

async function* linesSince(mark: LogMark): AsyncGenerator<string> {
  const now = await openIfThere(mark.file);
  try {
    const s = await now?.stat();
    if (now && s && idOf(s) === mark.id && s.size >= mark.size) {
      yield* linesOf(contentOf(now, mark.size));
      return;
    }
    const rolled = (await rolledFrom(mark.file)).filter((r) => !mark.rolled.includes(r.key));
    if (rolled.length === 0) throw new Error('it begins anew, and what was in it is not beside it');
    // Which of several the mark is in cannot be told: rather too much is read than too little.
    const known = rolled.length === 1 ? mark.size : 0;
    for (const { path } of rolled) yield* linesOf(skip(await unpacked(path), known));
    if (now) yield* linesOf(contentOf(now, 0));
  } finally {
    await now?.close();
  }
}

/** By the handle: the name may be another file's a moment later. */
function contentOf(h: FileHandle, start: number): Readable {
  return h.createReadStream({ start, autoClose: false });
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
}

interface Rolled {
  path: string;
  /** Stays the same when it is given another name. */
  key: string;
}

/** What a log was rolled to so far: `system.log.1`, `system.log.2026-11-22.0.zip`. */
async function rolledFrom(file: string): Promise<Rolled[]> {
  const folder = dirname(file);
  const rolled: Rolled[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(file)}.`)) continue;
    const path = join(folder, name);
    const s = await stat(path).catch(() => undefined);
    if (s?.isFile()) rolled.push({ path, key: `${idOf(s)}:${s.mtimeMs}` });
  }
  return rolled;
}

function idOf(s: { dev: number; ino: number }): string {
  return `${s.dev}:${s.ino}`;
}

async function unpacked(path: string): Promise<Readable> {
  if (path.endsWith('.zip')) return unzipped(path);
  const packed = createReadStream(path);
  // Its own failures reach whoever reads.
  return path.endsWith('.gz') ? pipeline(packed, createGunzip(), () => {}) : packed;
}

const ZIP_HEADER = 30;
const ZIP_SIGNATURE = 0x04034b50;
const ZIP_DEFLATED = 8;

/** The first entry of an archive: a log is alone in its own. */
async function unzipped(path: string): Promise<Readable> {
  const h = await open(path);
  try {
    const { buffer, bytesRead } = await h.read(Buffer.alloc(ZIP_HEADER), 0, ZIP_HEADER, 0);
    if (bytesRead < ZIP_HEADER || buffer.readUInt32LE(0) !== ZIP_SIGNATURE) throw new Error(`${path} is not whole`);
    if (buffer.readUInt16LE(8) !== ZIP_DEFLATED) throw new Error(`${path} is packed in a way that skep cannot read`);
    const start = ZIP_HEADER + buffer.readUInt16LE(26) + buffer.readUInt16LE(28);
    return pipeline(createReadStream(path, { start }), createInflateRaw(), () => {});
  } finally {
    await h.close();
  }
}

async function* skip(content: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of content) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** The first may be the rest of a line. */
async function* linesOf(content: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of content) {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function reasonOf(e: unknown): string {
  const { code, message } = e as NodeJS.ErrnoException;
  return code ?? message;
}

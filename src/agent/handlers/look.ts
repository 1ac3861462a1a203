import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../cut/names-in.ts';
import { pinRoot } from '../../cut/pins.ts';
import { RepairOutput } from '../../drivers/cassandra/repair-output.ts';
import { openAttachments, openBucket } from '../../drivers/files/attachment-store.ts';
import { lookAtBucket } from '../../drivers/files/look-at-bucket.ts';
import { promisedContent, walkFiles } from '../../drivers/files/walk.ts';
import { SkepError } from '../../errors.ts';
import { probeRepository } from '../../repository/index.ts';
import { lookAtCommitlog } from '../look-at-commitlog.ts';
import { recentImports } from '../log-tail.ts';
import { parseProperties } from '../properties.ts';
import type { MethodHandlers } from '../handlers.ts';
import { runCommand } from '../run-command.ts';
import { tryLink } from '../try-link.ts';

/** How many lines of nodetool's output are kept for the error. */
const LAST_LINES = 20;

export const lookHandlers = {
  async 'look.commitlog'(p) {
    return lookAtCommitlog(p.commitlogDir);
  },

  async 'look.link'(p) {
    for await (const path of walkFiles(p.from)) {
      const refused = await tryLink(join(p.from, path), p.into);
      // `gone`: deleted meanwhile, the next one will tell.
      if (refused !== 'gone') return { tried: path, ...(refused === undefined ? {} : { refused }) };
    }
    return {};
  },

  async 'look.repository'(p) {
    return { id: await probeRepository(p.repository) };
  },

  /** Counts all, asks the size of a sample: a million names are read in seconds, a million sizes are not. */
  async 'look.attachments'(p, { signal }) {
    const attachments = openAttachments(p);
    const sample: string[] = [];
    let files = 0;
    for await (const path of attachments.paths(signal)) {
      if (!promisedContent(path)) continue;
      if (files % 1000 === 0) signal.throwIfAborted();
      files++;
      const at = files <= p.sample ? files - 1 : Math.floor(Math.random() * files);
      if (at < p.sample) sample[at] = path;
    }
    const sizes = await Promise.all(sample.map((path) => attachments.stateOf(path)));
    const there = sizes.filter((s) => s !== undefined);
    const mean = there.length === 0 ? 0 : there.reduce((n, s) => n + s.size, 0) / there.length;
    return { files, bytes: Math.round(mean * files), sampled: there.length };
  },

  async 'look.bucket'(p, { signal }) {
    return lookAtBucket(openBucket(p), { change: p.change, signal });
  },

  async 'look.archiving'(p) {
    for (const folder of p.folders) {
      const file = join(folder, 'commitlog_archiving.properties');
      try {
        return { file, properties: parseProperties(await readFile(file, 'latin1')) };
      } catch (e) {
        const code = (e as NodeJS.ErrnoException).code;
        if (code === 'ENOENT' || code === 'ENOTDIR') continue;
        throw new SkepError('file-unreadable', `cannot read ${file}: ${code ?? 'unknown reason'}`, { cause: e });
      }
    }
    return { properties: {} };
  },

  async 'look.pins'(p) {
    const runs = [];
    for (const folder of [...(p.commitlogDir === undefined ? [] : [await pinRoot(p.commitlogDir)]), ...p.folders]) {
      for (const run of await pinnedIn(folder)) {
        const s = await stat(join(folder, run)).catch(() => undefined);
        if (s?.isDirectory()) runs.push({ folder, run, idleMs: Math.max(0, Date.now() - s.mtimeMs) });
      }
    }
    return { runs };
  },

  async 'look.imports'(p) {
    const { lines } = await recentImports(p.files, p.keyspace, p.sinceMs);
    return { lines: lines.map(({ line }) => line) };
  },

  async 'repair.run'(p, { signal, progress }) {
    const output = new RepairOutput(LAST_LINES);
    const r = await runCommand(p.argv, {
      signal,
      onLine: (line) => {
        if (!output.take(line)) return;
        // The line that tells how many there are is a notification of JMX, and one of those may get lost.
        const total = output.ranges >= output.done ? { totalFiles: output.ranges } : {};
        progress({ files: output.done, bytes: 0, ...total });
      },
    });
    return { exitCode: r.exitCode, ranges: output.done, lines: output.last };
  },
} satisfies Partial<MethodHandlers>;

/** What cannot be read must not look like no pins: whoever has them would be taken for dead. */
async function pinnedIn(folder: string): Promise<string[]> {
  try {
    return await namesIn(folder);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new SkepError('file-unreadable', `cannot read the pins in ${folder}: ${code}`, { cause: e });
  }
}

import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { hostname, networkInterfaces, userInfo } from 'node:os';
import { dirname } from 'node:path';
import { nowUs } from '../../cut/clock.ts';
import type { Space } from '../../protocol/methods.ts';
import { VERSION } from '../../version.ts';
import type { MethodHandlers } from '../handlers.ts';
import { recentErrors } from '../log-tail.ts';
import { runCommand } from '../run-command.ts';

export const nodeHandlers = {
  async 'node.clock'() {
    return { us: nowUs() };
  },

  async 'node.facts'(p) {
    const { username, uid } = whoThisIs();
    return {
      skep: VERSION,
      hostname: hostname(),
      addresses: Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
      user: username,
      uid,
      protectedHardlinks: (await readFile('/proc/sys/fs/protected_hardlinks', 'utf8').catch(() => '0')).trim() === '1',
      // getrusage counts in KiB
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      space: await Promise.all(p.paths.map(space)),
    };
  },

  async 'node.run'(p, { signal }) {
    return runCommand(p.argv, { timeoutMs: p.timeoutMs, ...(p.toEnd ? {} : { signal }) });
  },

  async 'node.onExit'(p, { session }) {
    session.onExit(p.id, p.argv);
    return null;
  },

  async 'node.offExit'(p, { session }) {
    session.offExit(p.id);
    return null;
  },

  async 'node.logs'(p) {
    return recentErrors(p.files, p.sinceMs, p.maxLines);
  },
} satisfies Partial<MethodHandlers>;

/** In a container the user may be but a number. */
function whoThisIs(): { username: string; uid: number } {
  try {
    return userInfo();
  } catch {
    const uid = process.getuid?.() ?? -1;
    return { username: `user ${uid}`, uid };
  }
}

/** Space and rights at a path; where it is absent, the space of the nearest folder above. */
async function space(path: string): Promise<Space> {
  let at = path;
  let s = await stat(at).catch(() => undefined);
  const exists = s !== undefined;
  while (!s && at !== '/') {
    at = dirname(at);
    s = await stat(at).catch(() => undefined);
  }
  const fs = await statfs(at);
  const may = (mode: number) =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  return {
    path,
    exists,
    // Where names are used up nothing can be made. Some filesystems do not count them.
    freeBytes: fs.files > 0 && fs.ffree === 0 ? 0 : fs.bavail * fs.bsize,
    totalBytes: fs.blocks * fs.bsize,
    device: s?.dev ?? 0,
    readable: await may(constants.R_OK),
    writable: await may(constants.W_OK),
    ...(exists && s ? { uid: s.uid } : {}),
  };
}

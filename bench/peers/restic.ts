import { join } from 'node:path';
import { runTool } from '../../lab/ground/run-tool.ts';
import { timed, type Timed } from '../timed.ts';

/** Gives the version of restic; installs Debian's when there is none, as root. */
export async function ensureRestic(): Promise<string> {
  const version = async () => (await timed(['restic', 'version'])).stdout.split(' compiled')[0] as string;
  return version().catch(async () => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await runTool(['apt-get', 'update', '-q'], { env });
    await runTool(['apt-get', 'install', '-q', '-y', '--no-install-recommends', 'restic'], { env });
    return version();
  });
}

/** restic with a repository and a cache in `folder`. */
export function resticIn(folder: string): (...args: string[]) => Promise<Timed> {
  const env = {
    RESTIC_REPOSITORY: join(folder, 'restic'),
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
  };
  return (...args) => timed(['restic', ...args], { env });
}

import { homedir } from 'node:os';
import path from 'node:path';

/** Where jars and compiled classes are kept between labs: `$SKEP_CACHE`, `$XDG_CACHE_HOME/skep` or `~/.cache/skep`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['SKEP_CACHE']) return path.resolve(env['SKEP_CACHE']);
  if (env['XDG_CACHE_HOME']) return path.resolve(env['XDG_CACHE_HOME'], 'skep');
  return path.join(homedir(), '.cache', 'skep');
}

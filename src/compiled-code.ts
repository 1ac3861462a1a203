import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

/** The user's own folder for what can be made again. Not below the shared `/tmp`: others could plant there what is trusted here. */
export function cacheFolder(): string {
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'skep');
}

/**
 * Modules that are loaded after this call are compiled once and then come from the cache folder: a start takes a third of
 * the processor's time. Where the folder cannot be written nothing is kept.
 */
export function keepCompiledCode(): void {
  enableCompileCache(path.join(cacheFolder(), 'code'));
}

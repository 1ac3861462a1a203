import path from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { makeOnce } from './make-once.ts';
import { runTool } from './run-tool.ts';

/**
 * A package of Python's index with all that it needs, in a folder of its own in the cache; fetched when the cache does not
 * have it. Nothing of the machine's own Python is changed.
 */
export async function ensurePythonPackage(name: string, version: string, signal?: AbortSignal): Promise<string> {
  const folder = path.join(cacheFolder(), 'python', `${name}-${version}`);
  const pip = ['pip3', '--disable-pip-version-check', 'install', '--quiet', '--only-binary=:all:'];
  const options = signal === undefined ? {} : { signal };
  const install = (into: string) => runTool([...pip, '--target', into, `${name}==${version}`], options);
  return makeOnce(folder, async (into) => void (await install(into)), signal);
}

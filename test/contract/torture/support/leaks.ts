import { SkepError } from '../../../../src/errors.ts';
import { companionKey, manifestCopyKey, manifestKey, publishedKey } from '../../../../src/repository/format/names.ts';
import type { Repository } from '../../../../src/repository/index.ts';
import { isRevoked, tryGet } from '../../../../src/repository/manifests.ts';
import { neededKeys } from '../../../../src/repository/needed-keys.ts';
import { UNSEALED } from '../../../../src/repository/sealing/keyring.ts';
import type { Place } from './place.ts';

/** Keys that the format lets stay for ever: logs, and the records that keep the dead from coming back. */
const STAYS =
  /^(?:runs\/[^/]+\.ndjson|leases\/[0-9a-f]{32}\.(?:revoked|sweep)|ballast(?:-files\/\d+)?|skep(?:\.copy)?\.json)$/;

/** What is there, after a prune, that no backup needs and the format does not let stay. */
export async function leaksOf(place: Place, repo: Repository): Promise<string[]> {
  const backend = place.backend();
  const needed = new Set<string>();
  for (const { id } of await repo.list()) {
    const manifest = await repo.readManifest(id);
    for (const key of [manifestKey(id), manifestCopyKey(id), publishedKey(id)]) needed.add(key);
    for (const { file } of manifest.leave) needed.add(companionKey(id, file));
    for await (const { key } of neededKeys({ backend, keyring: UNSEALED }, manifest)) needed.add(key);
  }
  const leaks = await place.leftovers();
  for await (const { key } of backend.list('')) {
    if (needed.has(key) || STAYS.test(key)) continue;
    if (key.endsWith('/manifest.json') && isRevoked(await tryGet(backend, key))) continue;
    leaks.push(key);
  }
  const leases = (await repo.leases()).map(({ id, kind }) => `the ${kind} lease ${id}`);
  return [...leaks, ...leases];
}

/** Prunes as somebody does days later; complaints about what is left then. */
export async function clearUp(place: Place, repo: Repository): Promise<string[]> {
  place.age();
  try {
    await repo.prune({ owner: { run: 'clear-up', host: 'tests', pid: process.pid }, ballastBytes: 1000, wait: false });
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    return [`the prune failed: ${error.code} ${error.message}`];
  }
  return (await leaksOf(place, repo)).map((leak) => `left behind: ${leak}`);
}

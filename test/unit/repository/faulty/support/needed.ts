import { neededKeys } from '../../../../../src/repository/needed-keys.ts';
import { openKeyring } from '../../../../../src/repository/sealing/open-keyring.ts';
import { decodeDescriptor } from '../../../../../src/repository/format/descriptor.ts';
import { openAsItIs, type World } from './world.ts';

/**
 * Whether a key may be there: what the backups need, and records of small size that the format says to stay for ever: who
 * ended a sweep, who took a lease away, whose manifest's place is taken.
 */
export async function needed(world: World, at: 0 | 1): Promise<(key: string) => boolean> {
  const { backend } = world.places[at];
  const keyring = await openKeyring(backend, decodeDescriptor(await backend.get('skep.json')), world.keys);
  const repo = await openAsItIs(world, at);
  const keys = new Set<string>();
  const ids = new Set<string>();
  for (const { id } of await repo.list()) {
    ids.add(id);
    const manifest = await repo.readManifest(id);
    for await (const { key } of neededKeys({ backend, keyring }, manifest)) keys.add(key);
  }
  return (key) => {
    const [folder, id = '', file = ''] = key.split('/');
    if (folder === 'leases') return /^now-|\.(sweep|revoked|stop)$/.test(id);
    // What a run that published nothing has left beside the place of its manifest is small, and stays.
    if (folder === 'backups') return ids.has(id) || file !== 'manifest.copy.json';
    return keys.has(key);
  };
}

import { notedDamage } from '../damage/notes.ts';
import { decodeListingEntry, type FileEntry } from '../format/listing-entry.ts';
import { inventoryEntryOf, inventoryKey } from '../format/inventory-entry.ts';
import { KeyPresence } from '../key-presence.ts';
import type { Vault } from '../sealing/keyring.ts';
import { damagedPiece, readLeaves } from './tree-reader.ts';

/** See `Repository.readStored`. */
export async function* readStored(vault: Vault, root: string): AsyncGenerator<{ entry: FileEntry; stored: boolean }[]> {
  const presence = new KeyPresence(vault.backend);
  const damaged = await notedDamage(vault.backend);
  for await (const leaf of readLeaves(vault, 'listing', root)) {
    const group: { entry: FileEntry; stored: boolean }[] = [];
    for (const line of leaf.lines) {
      const entry = decodeListingEntry(line);
      if (entry === undefined) throw damagedPiece(leaf.name, 'an entry cannot be read');
      if (entry.linkTo !== undefined) continue;
      const needed = inventoryEntryOf(entry);
      const key = inventoryKey(needed);
      const found = presence.look(key);
      const size = typeof found === 'string' ? found : await found;
      const isThere = size === 'there' || size === needed.storedSize;
      group.push({ entry, stored: isThere && !damaged.has(key) });
    }
    yield group;
  }
}

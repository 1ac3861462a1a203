import { notedDamage } from '../damage/notes.ts';
import { decodeListingEntry, type FileEntry } from '../format/listing-entry.ts';
import { inventoryEntryOf, inventoryKey } from '../format/inventory-entry.ts';
import { ObjectPresence } from '../object-presence.ts';
import type { Vault } from '../sealing/keyring.ts';
import { damagedPiece, readLeaves } from './tree-reader.ts';

/** See `Repository.readStored`. */
export async function* readStored(vault: Vault, root: string): AsyncGenerator<{ entry: FileEntry; stored: boolean }[]> {
  const presence = new ObjectPresence(vault.backend);
  const damaged = await notedDamage(vault.backend);
  for await (const leaf of readLeaves(vault, 'listing', root)) {
    const group: { entry: FileEntry; stored: boolean }[] = [];
    for (const line of leaf.lines) {
      const entry = decodeListingEntry(line);
      if (entry === undefined) throw damagedPiece(leaf.name, 'an entry cannot be read');
      if (entry.linkTo !== undefined) continue;
      const needed = inventoryEntryOf(entry);
      const looked = presence.look(needed);
      const found = typeof looked === 'object' ? await looked : looked;
      const isThere = found === 'there' || found === needed.storedSize;
      const isDamaged = damaged.size > 0 && damaged.has(inventoryKey(needed));
      group.push({ entry, stored: isThere && !isDamaged });
    }
    yield group;
  }
}

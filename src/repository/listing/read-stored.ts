import { decodeListingEntry, type FileEntry } from '../format/listing-entry.ts';
import { inventoryEntryOf, inventoryKey } from '../format/inventory-entry.ts';
import { KeyPresence } from '../key-presence.ts';
import type { Vault } from '../sealing/keyring.ts';
import { damagedPiece, readLeaves } from './tree-reader.ts';

/** See `Repository.readStored`. */
export async function* readStored(vault: Vault, root: string): AsyncGenerator<{ entry: FileEntry; stored: boolean }[]> {
  const presence = new KeyPresence(vault.backend);
  for await (const leaf of readLeaves(vault, 'listing', root)) {
    const group: { entry: FileEntry; stored: boolean }[] = [];
    for (const line of leaf.lines) {
      const entry = decodeListingEntry(line);
      if (entry === undefined) throw damagedPiece(leaf.name, 'an entry cannot be read');
      if (entry.linkTo !== undefined) continue;
      const needed = inventoryEntryOf(entry);
      const found = presence.look(inventoryKey(needed));
      const size = typeof found === 'string' ? found : await found;
      group.push({ entry, stored: size === 'there' || size === needed.storedSize });
    }
    yield group;
  }
}

import { SkepError } from '../../errors.ts';
import { decodeInventoryEntry, inventoryKey } from '../format/inventory-entry.ts';
import { pieceKey } from '../format/names.ts';
import type { TreeKind } from '../format/piece.ts';
import { childRefs, damagedPiece, readPiece } from '../listing/tree-reader.ts';
import { listBackups } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { BackupSummary, PlainManifest } from '../types.ts';
import { notedDamage } from './notes.ts';

/**
 * As `listBackups`, but a backup that needs what is noted as damaged is damaged too: it must not count as one that could be
 * restored. Without notes this costs one listing; with some, the upper pieces of all trees are read, each once.
 */
export async function judgeBackups(vault: Vault): Promise<BackupSummary[]> {
  const backups = await listBackups(vault);
  const noted = await notedDamage(vault.backend);
  if (noted.size === 0) return backups;
  const search = new NoteSearch(vault, noted);
  const judged: BackupSummary[] = [];
  for (const backup of backups) {
    const key = backup.state === 'complete' ? await search.ofManifest(backup.manifest) : undefined;
    judged.push(key === undefined ? backup : damaged(backup.id, key));
  }
  return judged;
}

function damaged(id: string, key: string): BackupSummary {
  const more = `\`skep backup\` may store that anew, \`skep verify ${id} --level data\` tells more`;
  return {
    id,
    state: 'damaged',
    finding: 'damage-noted',
    message: `it needs ${key}, which was found damaged; ${more}`,
  };
}

/** Finds noted keys in the trees of backups, which share most of their pieces. */
class NoteSearch {
  readonly #vault: Vault;
  readonly #noted: ReadonlySet<string>;
  /** By the name of a piece: the first noted key that is there or below. */
  readonly #found = new Map<string, string | undefined>();

  constructor(vault: Vault, noted: ReadonlySet<string>) {
    this.#vault = vault;
    this.#noted = noted;
  }

  async ofManifest({ parts }: PlainManifest): Promise<string | undefined> {
    for (const { root, inventory } of parts) {
      const key = await this.#below('inventory', { name: inventory });
      if (key !== undefined) return key;
      // The inventory of a sealed backup tells of the listing's pieces too.
      const piece = this.#vault.keyring.sealed ? undefined : await this.#below('listing', { name: root });
      if (piece !== undefined) return piece;
    }
    return undefined;
  }

  async #below(kind: TreeKind, place: Place): Promise<string | undefined> {
    const { name } = place;
    if (this.#found.has(name)) return this.#found.get(name);
    const key = pieceKey(name, this.#vault.keyring.pieceEncoding(kind));
    const found = this.#noted.has(key) ? key : await this.#look(kind, place, key);
    this.#found.set(name, found);
    return found;
  }

  async #look(kind: TreeKind, place: Place, key: string): Promise<string | undefined> {
    // What lies in a leaf is told by the inventory alone.
    if (place.level === 0 && (kind === 'listing' || !this.#mayHold(place))) return undefined;
    try {
      return await this.#read(kind, place);
    } catch (error) {
      if (!(error instanceof SkepError) || !['object-missing', 'object-damaged'].includes(error.code)) throw error;
      return key;
    }
  }

  async #read(kind: TreeKind, { name, level, end }: Place): Promise<string | undefined> {
    const piece = await readPiece(this.#vault, { name, kind, ...(level === undefined ? {} : { level }) });
    if (piece.level > 0) {
      const refs = childRefs(piece, name);
      for (const [i, { child, first }] of refs.entries()) {
        const below = { name: child, level: piece.level - 1, first, end: refs[i + 1]?.first ?? end };
        const found = await this.#below(kind, below);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    if (kind === 'listing') return undefined;
    for (const line of piece.lines) {
      const entry = decodeInventoryEntry(line);
      if (entry === undefined) throw damagedPiece(name, 'an entry cannot be read');
      if (this.#noted.has(inventoryKey(entry))) return inventoryKey(entry);
    }
    return undefined;
  }

  #mayHold({ first = '', end }: Place): boolean {
    return [...this.#noted].some((key) => key >= first && (end === undefined || key < end));
  }
}

/** A piece, and the sort keys between which the entries below it lie. */
interface Place {
  name: string;
  level?: number;
  first?: string;
  end?: string | undefined;
}

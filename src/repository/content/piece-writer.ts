import { hash } from 'node:crypto';
import type { DamageNotes } from '../damage/notes.ts';
import { pieceKey } from '../format/names.ts';
import { compressPiece, holdsPiece, pieceHash, type TreeKind } from '../format/piece.ts';
import { tryGet } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';
import { isSealedSize } from '../sealing/age-header.ts';
import { sealBytes } from '../sealing/seal.ts';
import type { StoredPiece } from '../types.ts';
import type { Staging } from './staging.ts';

type PieceName = Pick<StoredPiece, 'name' | 'encoding'>;

/** Stores pieces of trees, each once. */
export class PieceWriter {
  readonly #vault: Vault;
  readonly #staging: Staging;
  readonly #notes: DamageNotes;

  constructor(vault: Vault, staging: Staging, notes: DamageNotes) {
    this.#vault = vault;
    this.#staging = staging;
    this.#notes = notes;
  }

  /** See `ObjectWriter.putPiece`. */
  put(kind: TreeKind, plain: Uint8Array): { name: string; stored: Promise<StoredPiece> } {
    const { keyring } = this.#vault;
    const name = keyring.pieceName(kind, pieceHash(plain));
    return { name, stored: this.#put({ name, encoding: keyring.pieceEncoding(kind) }, plain) };
  }

  async #put(named: PieceName, plain: Uint8Array): Promise<StoredPiece> {
    const key = pieceKey(named.name, named.encoding);
    const found = this.#staging.piece(key) ?? (await this.#find(named, plain));
    if (found !== undefined && found !== 'damaged') return found;
    const compressed = compressPiece(plain);
    const recipients = this.#vault.keyring.recipients();
    const bytes = recipients && named.encoding === 'zstd+age' ? await sealBytes(compressed, recipients) : compressed;
    // Asked again after the wait: another call may have staged the same piece meanwhile.
    const staged = this.#staging.piece(key);
    if (staged !== undefined) return staged;
    const stored: StoredPiece = { ...named, storedSize: bytes.length, storedSha256: hash('sha256', bytes) };
    await this.#staging.addPiece(bytes, stored, found === 'damaged' ? 'renew' : 'fail');
    return stored;
  }

  /** A piece is small, and what it must hold is here: one that is damaged is not taken over. */
  async #find(named: PieceName, plain: Uint8Array): Promise<StoredPiece | 'damaged' | undefined> {
    const key = pieceKey(named.name, named.encoding);
    const isNoted = await this.#notes.has(key);
    if (isNoted && named.encoding !== 'zstd') return 'damaged';
    const bytes = await tryGet(this.#vault.backend, key);
    if (bytes === undefined) return isNoted ? 'damaged' : undefined;
    // Who only writes cannot open what is sealed: its size must do.
    const holds =
      named.encoding === 'zstd'
        ? holdsPiece(bytes, plain)
        : isSealedSize(bytes, bytes.length, compressPiece(plain).length);
    if (!holds) return 'damaged';
    // A verify that read badly has noted it.
    if (isNoted) await this.#notes.clear(key);
    return { ...named, storedSize: bytes.length, storedSha256: hash('sha256', bytes) };
  }
}

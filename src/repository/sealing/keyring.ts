import { createHmac } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { type Encoding, encodingsOf } from '../format/names.ts';
import type { TreeKind } from '../format/piece.ts';

/** A backend, and what is known here of the repository's keys. */
export interface Vault {
  readonly backend: Backend;
  readonly keyring: Keyring;
}

/** The keys of a sealed repository, as far as they are known. */
interface KnownKeys {
  /** The newest. */
  generation: number;
  /** 32 bytes. */
  namingKey: Buffer | undefined;
  /** Of the newest generation; why they are not known where that is damaged. */
  recipients: readonly string[] | SkepError;
  /** Whom new contents must be sealed to; whatever the repository says when absent. */
  expected: readonly string[] | undefined;
  identities: readonly string[];
}

/** What is known here of the keys of one repository. */
export class Keyring {
  /** Whether the repository is sealed. */
  readonly sealed: boolean;
  /** Of all objects. */
  readonly encodings: readonly [plain: Encoding, compressed: Encoding];
  readonly #keys: KnownKeys | undefined;

  constructor(keys: KnownKeys | undefined) {
    this.sealed = keys !== undefined;
    this.encodings = encodingsOf(this.sealed);
    this.#keys = keys;
  }

  /** False where listings and contents cannot be read here. */
  get opens(): boolean {
    return this.#keys === undefined || this.#keys.identities.length > 0;
  }

  /** What opens sealed contents: `AGE-SECRET-KEY-1…`. */
  get identities(): readonly string[] {
    return this.#keys?.identities ?? [];
  }

  /** Whom new contents are sealed to (`age1…`); undefined when they are not. Errors: `key-wrong`, `repository-damaged`. */
  recipients(): readonly string[] | undefined {
    if (this.#keys === undefined) return undefined;
    const { recipients, expected } = this.#keys;
    if (recipients instanceof SkepError) throw recipients;
    if (expected === undefined || sameMembers(recipients, expected)) return recipients;
    throw new SkepError('key-wrong', 'the repository seals to other recipients than the configuration names', {
      hint: 'Run `skep keys` to see both; `skep keys rotate` seals new contents to those of the configuration (of a copy: with `--of`).',
      context: { recipients, expected },
    });
  }

  /** Name of the object with a content of this SHA-256. Error: `key-missing`. */
  objectName(sha256: string): string {
    return this.sealed ? this.mac(`object ${sha256}`) : sha256;
  }

  /** Name of a piece whose plain bytes have this SHA-256. Error: `key-missing`. */
  pieceName(kind: TreeKind, sha256: string): string {
    return this.pieceEncoding(kind) === 'zstd+age' ? this.mac(`piece ${sha256}`) : sha256;
  }

  pieceEncoding(kind: TreeKind): 'zstd' | 'zstd+age' {
    return this.sealed && kind === 'listing' ? 'zstd+age' : 'zstd';
  }

  /** Of the newest keys; undefined where the repository is not sealed. */
  get generation(): number | undefined {
    return this.#keys?.generation;
  }

  get namingKey(): Buffer | undefined {
    return this.#keys?.namingKey;
  }

  /** Whom new contents must be sealed to; undefined when nobody said so. */
  get expected(): readonly string[] | undefined {
    return this.#keys?.expected;
  }

  /** HMAC-SHA-256 of a text under the naming key. Error: `key-missing`. */
  mac(text: string): string {
    if (this.#keys?.namingKey === undefined) {
      throw new SkepError('key-missing', 'the repository is sealed and its naming key is not known here');
    }
    return macOf(this.#keys.namingKey, text);
  }
}

export const UNSEALED = new Keyring(undefined);

/** What tells a host in a manifest without telling its id. Error: `key-missing`. */
export function hostMark(keyring: Keyring, hostId: string): string {
  return keyring.mac(`host ${hostId}`);
}

/** In 64 hex digits. */
export function macOf(namingKey: Buffer, text: string): string {
  return createHmac('sha256', namingKey).update(text).digest('hex');
}

export function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  const [x, y] = [new Set(a), new Set(b)];
  return x.size === y.size && [...x].every((member) => y.has(member));
}

import type { SerializedError } from '../../../errors.ts';
import type { OpenFile } from '../../backend/backend.ts';
import type { Encoding } from '../../format/names.ts';
import type { StoredGroup } from '../../types.ts';
import type { Encoder, HashedContent, StoredContent } from '../store-content.ts';

/** Plain values: what a thread is to do, with one whole file or with a listing. */
export type Job =
  /** Its hash, and the encoding that `storeContent` would take. */
  | { do: 'hash'; from: OpenFile; encoder: Encoder }
  /** See `storeContent`. */
  | { do: 'store'; from: OpenFile; to: OpenFile; encoder: Encoder }
  /** The plain bytes of a stored object. */
  | { do: 'extract'; from: OpenFile; to: OpenFile; encoding: Encoding; identities: readonly string[] }
  /** The groups of `Repository.readStored`, of an unsealed repository in a folder. */
  | { do: 'look'; location: string; root: string };

export interface JobResults {
  hash: HashedContent;
  store: StoredContent;
  extract: { sha256: string; size: number };
  look: null;
}

/** What a thread gets: one job at a time. */
export interface Order {
  job: Job;
  /** One Int32: not 0 when the job is to end early. */
  cancelled: SharedArrayBuffer;
}

/** What a thread says: how far it is in the plain bytes of its job, or what it has found, and at the end how it went. */
export type Report =
  | { read: number; written: number }
  | { group: StoredGroup }
  | { result: JobResults[Job['do']] }
  | { error: SerializedError };

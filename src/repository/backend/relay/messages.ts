import { z } from 'zod';

const key = z.string().min(1).max(1024);
const keys = z.array(key);
const prefix = z.string().max(1024);
const count = z.number().int().nonnegative();

/** A staged content: the staging place of its batch, and its number there, given by who asks. */
const staged = { batch: key, staged: count };

/** What an agent asks of the backend of its controller: the methods of `Backend`, `Batch` and `Staged`. */
export const relayRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('open') }),
  z.strictObject({ do: z.literal('put'), key, overwrite: z.boolean().optional() }),
  z.strictObject({ do: z.literal('append'), key }),
  z.strictObject({ do: z.literal('get'), key, range: z.strictObject({ start: count, end: count }).optional() }),
  z.strictObject({ do: z.literal('sizes'), keys }),
  z.strictObject({ do: z.literal('names'), prefix }),
  z.strictObject({ do: z.literal('marks'), prefixes: z.array(prefix) }),
  /** The next keys of a listing: `list` is a number that who asks gives to it. */
  z.strictObject({ do: z.literal('list'), prefix, list: count }),
  z.strictObject({ do: z.literal('endList'), list: count }),
  z.strictObject({ do: z.literal('delete'), keys }),
  z.strictObject({ do: z.literal('deletePrefix'), prefix }),
  z.strictObject({
    do: z.literal('stage'),
    ...staged,
    to: z.strictObject({ key, size: count }).optional(),
  }),
  z.strictObject({ do: z.literal('stageBytes'), ...staged }),
  z.strictObject({ do: z.literal('write'), ...staged }),
  z.strictObject({ do: z.literal('end'), ...staged }),
  z.strictObject({ do: z.literal('discard'), ...staged }),
  z.strictObject({ do: z.literal('add'), ...staged, key, onConflict: z.enum(['replace', 'fail', 'renew']) }),
  z.strictObject({ do: z.literal('flush'), batch: key }),
  z.strictObject({ do: z.literal('close'), batch: key }),
]);

export type RelayRequest = z.output<typeof relayRequest>;

/** What each is answered with, beside bytes (`get`). */
export interface RelayValues {
  open: { location: string; keyFirst: boolean };
  put: 'created' | 'exists';
  append: null;
  get: null;
  /** Null where there is no such key. */
  sizes: (number | null)[];
  /** Null where the storage does not tell sizes with names. */
  names: [name: string, size: number | null][];
  /** Null where nothing can be told. */
  marks: (string | null)[];
  list: { keys: { key: string; size: number; modifiedMs?: number | undefined }[]; more: boolean };
  endList: null;
  /** How many of the keys were there, as far as the storage tells. */
  delete: number;
  deletePrefix: null;
  stage: null;
  stageBytes: null;
  write: null;
  end: null;
  discard: null;
  add: null;
  /** See `Batch.flush`. */
  flush: string[];
  close: null;
}

/** Asks the controller, with bytes beside the question and the answer. */
export type AskRelay = (
  request: RelayRequest,
  bytes?: Uint8Array,
) => Promise<{ value: unknown; bytes: Buffer | undefined }>;

import { z } from 'zod';

/** A property value as the ledger writes it; dates are epoch milliseconds. */
export type Value = string | number | boolean;

const value = z.union([z.string(), z.number(), z.boolean()]);

/**
 * One change of the graph. `uid` names a vertex, `eid` an edge; both are unique for ever.
 * addV uid label properties · set uid key value · unset uid key · add/take uid key member (set-valued keys) ·
 * addE eid label outUid inUid · delV uid (with its properties and every edge that touches it)
 */
const opSchema = z.union([
  z.tuple([z.literal('addV'), z.string(), z.string(), z.record(z.string(), z.union([value, z.array(value)]))]),
  z.tuple([z.literal('set'), z.string(), z.string(), value]),
  z.tuple([z.literal('unset'), z.string(), z.string()]),
  z.tuple([z.literal('add'), z.string(), z.string(), value]),
  z.tuple([z.literal('take'), z.string(), z.string(), value]),
  z.tuple([z.literal('addE'), z.string(), z.string(), z.string(), z.string()]),
  z.tuple([z.literal('delV'), z.string()]),
]);
export type Op = z.infer<typeof opSchema>;

/** A file of `attachment/`, written or deleted before the graph commits. */
const fileOpSchema = z.object({ op: z.enum(['put', 'delete']), sha256: z.string(), size: z.number() });
export type FileOp = z.infer<typeof fileOpSchema>;

/** The document in `thehive-audits` whose `_id` is the transaction's id. `createdAt` is in epoch milliseconds. */
const auditSchema = z.object({
  createdAt: z.number(),
  action: z.string(),
  objectType: z.string(),
  objectId: z.string(),
  details: z.string(),
});
export type Audit = z.infer<typeof auditSchema>;

const txn = z.string();
const micros = z.number().int();

/**
 * The lines of a ledger (NDJSON, one file a run of the load). All times are microseconds since the epoch, rounded so
 * that they never claim too much: sent down, acknowledged up. `restored` is written by who restored the cluster:
 * everything that earlier runs sent after its `T` is gone for good.
 */
export const lineSchema = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('run'),
    run: z.number().int(),
    seed: z.string(),
    writers: z.number().int(),
    startedAtUs: micros,
  }),
  z.object({
    t: z.literal('intent'),
    txn,
    writer: z.number().int(),
    seq: z.number().int(),
    kind: z.string(),
    sentAtUs: micros,
    ops: z.array(opSchema),
    files: z.array(fileOpSchema),
    audit: auditSchema,
  }),
  z.object({ t: z.literal('ack'), txn, ackedAtUs: micros, ms: z.number() }),
  z.object({ t: z.literal('failed'), txn, failedAtUs: micros, error: z.string() }),
  z.object({ t: z.literal('restored'), T: micros, atUs: micros }),
]);
export type Line = z.infer<typeof lineSchema>;
type Intent = Extract<Line, { t: 'intent' }>;

/** A transaction as the ledger knows it; without `ackedAtUs` its outcome is unknown, with `error` it failed. */
export interface LedgerTransaction extends Omit<Intent, 't'> {
  run: number;
  ackedAtUs: number | undefined;
  ms: number | undefined;
  error: string | undefined;
}

/** Set-valued property keys: each member is an element of its own. */
export const SET_KEYS: ReadonlySet<string> = new Set(['tags']);

import { z } from 'zod';
import { BACKUP_ID_PATTERN, NAME_PATTERN } from './names.ts';

export const MANIFEST_FORMAT = 1;

const name = z.string().regex(NAME_PATTERN);
const count = z.number().int().nonnegative();

/** One node × store. */
const manifestPartSchema = z.strictObject({
  node: z.string().min(1),
  store: z.string().min(1),
  root: name,
  inventory: name,
  files: count,
  bytes: count,
  /** Stored bytes that this backup brought. */
  newBytes: count,
});

const consistencyFields = {
  /** The cut time `T` in µs since the epoch, decimal; only with `consistency: 'cut'`. */
  cutMicros: z
    .string()
    .regex(/^\d{1,19}$/)
    .optional(),
  /** Distance between first and last snapshot; only with `consistency: 'window'`. */
  windowMs: count.optional(),
};

export const manifestSchema = z
  .strictObject({
    format: z.literal(MANIFEST_FORMAT),
    id: z.string().regex(BACKUP_ID_PATTERN),
    state: z.literal('complete'),
    repository: z.string().min(1),
    cluster: z.strictObject({ name: z.string().min(1), id: z.string().min(1) }),
    startedAt: z.iso.datetime(),
    finishedAt: z.iso.datetime(),
    consistency: z.enum(['cut', 'window']),
    ...consistencyFields,
    parts: z.array(manifestPartSchema).min(1),
    /** The part that is sealed in a sealed repository: topology, tokens, schema, evidence; the engine's own JSON. */
    details: z.record(z.string(), z.json()),
  })
  .refine((m) => (m.consistency === 'cut') === (m.cutMicros !== undefined), 'cutMicros goes with consistency "cut"')
  .refine((m) => (m.consistency === 'window') === (m.windowMs !== undefined), 'windowMs goes with "window"');

export type ManifestPart = z.infer<typeof manifestPartSchema>;
export type Manifest = z.infer<typeof manifestSchema>;
/** What the engine gives: the repository adds format, state, repository and cluster. */
export type ManifestDraft = Omit<Manifest, 'format' | 'state' | 'repository' | 'cluster'>;

import { z } from 'zod';
import { isSafePath } from './listing-entry.ts';
import { BACKUP_ID_PATTERN, NAME_PATTERN } from './names.ts';

export const MANIFEST_FORMAT = 1;

const name = z.string().regex(NAME_PATTERN);
const count = z.number().int().nonnegative();

/** It becomes a folder where a backup is laid out. */
const component = z.string().refine((text) => isSafePath(text) && !text.includes('/'), 'not a name of one component');

/** One node × store. */
const manifestPartSchema = z.strictObject({
  node: component,
  store: component,
  root: name,
  inventory: name,
  files: count,
  bytes: count,
  /** Stored bytes that this backup brought. */
  newBytes: count,
});

/** A file beside the manifest for who restores without skep. */
const companionSchema = z.strictObject({ file: z.enum(['RESTORE.md', 'restore.sh']), bytes: count, sha256: name });

const details = z.record(z.string(), z.json());

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
    parts: z.array(manifestPartSchema).min(1).refine(areDistinct, 'two parts of one node and store'),
    leave: z.array(companionSchema),
    /** Of a copy: where it was made first. */
    copiedFrom: z.strictObject({ repository: z.string().min(1), id: z.string().regex(BACKUP_ID_PATTERN) }).optional(),
    /** Topology, tokens, schema, evidence: the engine's own JSON. */
    details: details.optional(),
    /** In a sealed repository instead of them: an age file of their JSON in base64. */
    sealed: z.base64().min(1).optional(),
    /** In a sealed repository: the ids of the hosts, hashed with the naming key: whose backup it is can be told. */
    hosts: z.array(name).optional(),
    /** In a sealed repository: made with the naming key. */
    mac: name.optional(),
  })
  .refine((m) => (m.details === undefined) !== (m.sealed === undefined), 'either details or sealed')
  .refine((m) => (m.consistency === 'cut') === (m.cutMicros !== undefined), 'cutMicros goes with consistency "cut"')
  .refine((m) => (m.consistency === 'window') === (m.windowMs !== undefined), 'windowMs goes with "window"');

/** Of two it could not be told which one is meant. */
function areDistinct(parts: readonly { node: string; store: string }[]): boolean {
  return new Set(parts.map(({ node, store }) => `${node}/${store}`)).size === parts.length;
}

/** The details from their JSON; undefined when it is none. */
export function parseDetailsJson(text: string): ManifestDetails | undefined {
  try {
    return details.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export type Companion = z.infer<typeof companionSchema>;
export type ManifestPart = z.infer<typeof manifestPartSchema>;
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestDetails = z.infer<typeof details>;
/** What the engine gives: the repository adds who it is and what lies beside the manifest, and seals the details. */
export type ManifestDraft = Omit<
  Manifest,
  'format' | 'state' | 'repository' | 'cluster' | 'leave' | 'details' | 'sealed' | 'hosts' | 'mac'
> & {
  details: ManifestDetails;
  /** Of the nodes of the cluster. */
  hostIds?: string[];
};

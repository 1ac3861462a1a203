import { z } from 'zod';
import { SkepError } from '../errors.ts';
import { topologySchema } from '../discovery/topology.ts';
import { grantSchema } from '../drivers/cassandra/grants.ts';
import { statementSchema } from '../drivers/cassandra/schema.ts';
import { searchStateSchema } from '../drivers/elasticsearch/indices.ts';
import { truncation } from '../protocol/methods.ts';

/** The cut and what proves it, as kept in a backup. Times that end in `Us` are µs on the controller's clock. */
export const cutSchema = z.object({
  /** Decimal µs; odd. */
  T: z.string().regex(/^\d{1,19}$/),
  attempts: z.number(),
  lingerMs: z.number(),
  /** TheHive was stopped while it was taken. */
  cold: z.boolean().default(false),
  clocks: z.array(z.object({ node: z.string(), offsetUs: z.number(), errorUs: z.number() })),
  snapshots: z.array(z.object({ node: z.string(), startedUs: z.number(), endedUs: z.number() })),
  segments: z.array(z.object({ node: z.string(), ids: z.array(z.string()), evidence: z.record(z.string(), z.json()) })),
  /** For each node, what its tables' truncation records were at the cut. */
  truncated: z.record(z.string(), z.array(truncation)),
});

/** The engine's part of a manifest: all that a restore needs to know beside the files. */
export const detailsSchema = z.object({
  skep: z.string(),
  topology: topologySchema,
  schema: z.object({
    /** Makes the keyspace again, tables with their ids. */
    statements: z.array(statementSchema),
    /** Rows of `system_schema`, for the reader of commit logs. */
    rows: z.record(z.string(), z.array(z.record(z.string(), z.json()))),
    foreign: z.array(z.string()),
    /** Who may use the keyspace: that goes with it when it is dropped. */
    grants: z.array(grantSchema).default([]),
  }),
  cut: cutSchema,
  search: searchStateSchema.extend({
    snapshot: z.string(),
    startedMs: z.number(),
    endedMs: z.number(),
    shards: z.number(),
    /** Sequence numbers of each index's shards right before `T`. */
    seqNoBefore: z.record(z.string(), z.record(z.string(), z.number())),
  }),
  files: z.object({ pinned: z.number(), mismatched: z.array(z.string()) }),
});

export type Details = z.output<typeof detailsSchema>;
export type Cut = z.output<typeof cutSchema>;

/** Reads the details of a manifest; `manifest-damaged` when they are not what this skep writes. */
export function parseDetails(raw: unknown, id: string): Details {
  const parsed = detailsSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const message = `backup ${id}: details.${issue?.path.join('.')}: ${issue?.message}`;
  throw new SkepError('manifest-damaged', message, { context: { backup: id } });
}

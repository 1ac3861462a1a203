import { z } from 'zod';

/** One Cassandra node, as it describes itself. Kept in every backup. */
export const topologyNodeSchema = z.object({
  name: z.string(),
  /** The address under which it answers CQL. */
  address: z.string(),
  hostId: z.string(),
  datacenter: z.string(),
  rack: z.string(),
  tokens: z.array(z.string()),
  version: z.string(),
  gossipGeneration: z.number(),
  schemaVersion: z.string(),
  /** How many other nodes it knows. */
  peers: z.array(z.string()),
  dataDirs: z.array(z.string()).min(1),
  commitlogDir: z.string(),
  hintsDir: z.string(),
  savedCachesDir: z.string(),
  commitlogSync: z.string(),
  /** Longest time until a write is on the commit log's disk, in ms; 0 for batch and group. */
  commitlogSyncMs: z.number(),
  commitlogEncrypted: z.boolean(),
});
export type TopologyNode = z.output<typeof topologyNodeSchema>;

export const tableSchema = z.object({ id: z.string(), name: z.string() });

export const topologySchema = z.object({
  clusterName: z.string(),
  partitioner: z.string(),
  keyspace: z.string(),
  /** The keyspace's replication as `system_schema.keyspaces` has it; empty when the keyspace is not there. */
  replication: z.record(z.string(), z.string()),
  tables: z.array(tableSchema),
  nodes: z.array(topologyNodeSchema).min(1),
});
export type Topology = z.output<typeof topologySchema>;

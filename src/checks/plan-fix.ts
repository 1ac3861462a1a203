/** What a fix would do, shown before it is done. */
export interface FixPlan {
  /** Changes the keyspace's replication; absent when it is as it should be. */
  statement?: string;
  /** Nodes to repair, in this order. */
  repair: readonly string[];
  steps: { text: string; changes: boolean }[];
}

/** The counts of the demo's last line; everything but the first and the last must be zero (or true). */
export interface ProofReport {
  acked_before_T: number;
  missing: number;
  extra: number;
  torn: number;
  dangling: number;
  index_ghosts: number;
  index_missing: number;
  index_stale: number;
  audits_missing: number;
  audits_extra: number;
  mapping_equal: boolean;
  /** Transactions that were neither acknowledged before T nor sent after it: in flight at T, or failed before it. */
  in_flight: number;
}

/** A report with every finding in words, and how much was looked at. */
export interface Proof {
  report: ProofReport;
  findings: Record<string, string[]>;
  seen: {
    vertices: number;
    lookups: number;
    transactions: number;
    failed: number;
    scanMs: number;
    lookupMs: number;
    totalMs: number;
  };
}

/** True when the cluster is proven: something was acknowledged before T, and nothing is wrong. */
export function isProven(report: ProofReport): boolean {
  const { acked_before_T, in_flight: _, mapping_equal, ...zeros } = report;
  return acked_before_T > 0 && mapping_equal && Object.values(zeros).every((count) => count === 0);
}

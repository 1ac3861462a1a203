/** A place where ids jump: a segment between them may have been missed. */
export interface Gap {
  after: bigint;
  before: bigint;
}

/**
 * The gaps and repetitions in segment ids that should count up one by one, as Cassandra gives them out between two
 * starts. In the order of the ids; empty when contiguous.
 */
export function checkContiguous(ids: readonly bigint[]): Gap[] {
  const sorted = ids.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const gaps: Gap[] = [];
  for (let i = 1; i < sorted.length; i++) {
    const after = sorted[i - 1]!;
    const before = sorted[i]!;
    if (before !== after + 1n) gaps.push({ after, before });
  }
  return gaps;
}

/** `nodetool repair --full` of the ranges of which this node is the first replica; each node in turn makes it whole. */
export const repairArgs = (keyspace: string): string[] => ['repair', '--full', '-pr', '--', keyspace];

/** Reads what `nodetool repair` prints, line by line. Source: `RepairRunner` of Cassandra 4.1 and 5.0. */
export class RepairOutput {
  /** Ranges to repair; 0 while it is not known. */
  ranges = 0;
  /** Ranges whose session has ended, well or not. */
  done = 0;
  /** The last lines, oldest first. */
  readonly last: string[] = [];
  readonly #keep: number;

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Takes a line; true when it told of progress. */
  take(line: string): boolean {
    this.last.push(line.slice(0, 500));
    if (this.last.length > this.#keep) this.last.shift();
    const ranges = /Starting repair command #\d+ .*# of ranges: (\d+)/.exec(line)?.[1];
    if (ranges !== undefined) {
      this.ranges += Number(ranges);
      return true;
    }
    const session = /Repair session \S+ for range \[(.*)\] (?:finished|failed)/.exec(line)?.[1];
    if (session === undefined) return false;
    this.done += session.match(/\(/g)?.length ?? 0;
    return true;
  }
}

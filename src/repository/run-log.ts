/** The log of one run: one JSON object a line, kept also when the run fails. */
export interface RunLog {
  write(event: Record<string, unknown>): void;
  /** Waits until everything written so far is in the repository. */
  flush(): Promise<void>;
}

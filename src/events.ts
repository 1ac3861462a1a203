import type { SerializedError } from './errors.ts';

/** How far one store of one node has come. Totals are absent while they are not known. */
export interface ProgressEvent {
  type: 'progress';
  node: string;
  store: string;
  stage: string;
  files: number;
  bytes: number;
  totalFiles?: number;
  totalBytes?: number;
}

export type Verdict = 'pass' | 'warn' | 'fail';

/** Everything that a command tells while it works. `--json` prints them as they are, one a line, with a time. */
export type SkepEvent =
  | { type: 'run-started'; command: string; run: string; cluster: string }
  | { type: 'stage-started'; stage: string; text: string }
  | { type: 'stage-done'; stage: string; ms: number }
  | ProgressEvent
  | { type: 'warning'; text: string; context?: Record<string, unknown> }
  | { type: 'plan'; steps: { text: string; changes: boolean }[] }
  | { type: 'check'; id: string; verdict: Verdict; title: string; seen: string; cure?: string; node?: string }
  | { type: 'result'; command: string; [key: string]: unknown }
  | { type: 'error'; error: SerializedError };

export type Emit = (event: SkepEvent) => void;

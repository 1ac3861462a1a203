import type { Progress } from '../protocol/methods.ts';

/** Tells progress as fast as the pipe takes it. */
export interface ProgressTeller {
  tell(p: Progress): void;
  /** Resolves when the newest was sent. */
  told(): Promise<void>;
}

/** While one is unsent only the newest of the others is kept: a slow reader fills nobody's memory, and holds up no work. */
export function newestProgress(emit: (p: Progress) => Promise<void>): ProgressTeller {
  let newest: Progress | undefined;
  let sending: Promise<void> | undefined;
  const send = async () => {
    while (newest !== undefined) {
      const p = newest;
      newest = undefined;
      await emit(p);
    }
    sending = undefined;
  };
  return {
    tell(p) {
      newest = p;
      sending ??= send();
    },
    told: async () => sending,
  };
}

import { toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';

/** Steps that give back what a run holds; each runs once, the last added first, whatever the others do. */
export class Cleanup {
  readonly #steps = new Map<string, () => Promise<unknown>>();

  /** Adds a step; one with the same name replaces the older. */
  add(name: string, step: () => Promise<unknown>): void {
    this.#steps.delete(name);
    this.#steps.set(name, step);
  }

  /** Runs one step now. Its failure is thrown, and the step is tried again at the end. */
  async runNow(name: string): Promise<void> {
    const step = this.#steps.get(name);
    if (!step) return;
    await step();
    this.#steps.delete(name);
  }

  /** Runs all that are left; failures are told as warnings and given back. */
  async runAll(emit: Emit): Promise<string[]> {
    const failed: string[] = [];
    for (const [name, step] of [...this.#steps].reverse()) {
      this.#steps.delete(name);
      try {
        await step();
      } catch (e) {
        failed.push(name);
        emit({ type: 'warning', text: `clean-up failed: ${name}: ${toSkepError(e).message}`, context: { step: name } });
      }
    }
    return failed;
  }
}

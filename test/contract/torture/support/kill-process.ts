/**
 * `node kill-process.ts OPERATION FOLDER STEP OCCURRENCE PHASE`: does the operation and dies by SIGKILL at the step, before
 * it, half through it or after it. Prints `done` when the operation said that it is done, and `survived` if it never came
 * to that step.
 */
import { writeSync } from 'node:fs';
import { watchSteps, type Step } from './file-steps.ts';

const [name, folder, step, occurrence, phase] = process.argv.slice(2) as [string, string, string, string, string];
const { nameOf } = await import('./step-names.ts');
const { operation, repositoryIn } = await import('./crash-case.ts');
const { openRepository } = await import('../../../../src/repository/index.ts');

let begun = 0;
const chosen = new Set<Step>();
const root = repositoryIn(folder);
const repo = await openRepository({ location: root });
watchSteps(root, {
  before(found, half) {
    if (nameOf(found) !== step || ++begun !== Number(occurrence)) return undefined;
    chosen.add(found);
    if (phase === 'half') half();
    if (phase !== 'end') die();
    return undefined;
  },
  after(found) {
    if (chosen.has(found)) die();
  },
});
await operation(name).run(repo, folder, 0, () => writeSync(1, 'done\n'));
writeSync(1, 'survived\n');

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/**
 * `node kill-process.ts OPERATION FOLDER STEP OCCURRENCE PHASE`: does the operation on the repository that the environment
 * names and dies by SIGKILL at the step, before it, half through it or after it. Prints `done` when the operation said that
 * it is done, and `survived` if it never came to that step.
 */
import { writeSync } from 'node:fs';
import type { RepositoryAccess } from '../../../../src/repository/index.ts';

const [name, folder, step, occurrence, phase] = process.argv.slice(2) as [string, string, string, string, string];
const access = JSON.parse(process.env['SKEP_TORTURE_ACCESS'] ?? '') as RepositoryAccess;

let begun = 0;
const chosen = new Set<unknown>();

function before(id: unknown, found: string, half: () => void): void {
  if (found !== step || ++begun !== Number(occurrence)) return;
  chosen.add(id);
  if (phase === 'half') half();
  if (phase !== 'end') die();
}

function after(id: unknown): void {
  if (chosen.has(id)) die();
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

// The seam first: it must see the filesystem, or the requests, before the product does.
const watch = access.s3 === undefined ? await watchPath() : await watchBucket();
const { operation } = await import('./operations.ts');
const { openRepository } = await import('../../../../src/repository/index.ts');
const repo = await openRepository(access);
watch();
await operation(name).run(repo, folder, 0, () => writeSync(1, 'done\n'));
writeSync(1, 'survived\n');
process.exit();

async function watchPath(): Promise<() => void> {
  const { watchSteps } = await import('./file-steps.ts');
  const { nameOf } = await import('./step-names.ts');
  return () =>
    watchSteps(access.location, {
      before(found, half) {
        before(found, nameOf(found), half);
        return undefined;
      },
      after,
    });
}

async function watchBucket(): Promise<() => void> {
  const { watchRequests } = await import('./request-steps.ts');
  return () => watchRequests({ before: (id, found) => before(id, found, () => undefined), after });
}

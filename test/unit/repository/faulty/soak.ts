/**
 * `make soak FAULTS=100000`: that many random histories on faulty storages, up to the first that goes wrong. A line for every
 * 250, with the seed to go on from: `--seed N`. `--minutes N` ends it sooner.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runHistories } from './support/run-histories.ts';
import { beginVirtualTime } from './support/virtual-clock.ts';

const GROUP = 250;

const { values } = parseArgs({
  options: {
    histories: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(1_000_000_000)) },
    minutes: { type: 'string', default: 'Infinity' },
  },
});
const wanted = Number(values.histories);
const end = Date.now() + Number(values.minutes) * 60_000;

beginVirtualTime();
let lived = 0;
let failure: string | undefined;
for (let seed = Number(values.seed); lived < wanted && failure === undefined && Date.now() < end; seed++) {
  const ran = await runHistories({ seed, count: Math.min(GROUP, wanted - lived) });
  lived += ran.histories;
  failure = ran.failure;
  process.stdout.write(`${JSON.stringify({ seed, lived, ...ran })}\n`);
}
process.stdout.write(`${JSON.stringify({ soak: failure === undefined ? 'ok' : 'failed', histories: lived })}\n`);
process.exitCode = failure === undefined ? 0 : 1;

import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

/** On a disk: a `/tmp` in memory would make every row of durable writes meaningless. */
const PARENT = process.env['SKEP_BENCH_DIR'] ?? '/var/tmp';

/** A folder for the data of one row that goes away whatever happens. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(PARENT, { recursive: true });
  const folder = await mkdtemp(join(PARENT, 'skep-bench-'));
  const onSignal = (signal: NodeJS.Signals) => {
    rmSync(folder, { recursive: true, force: true });
    process.kill(process.pid, signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, onSignal);
  try {
    return await work(folder);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
    // Node's promises take gigabytes of memory for a million files.
    rmSync(folder, { recursive: true, force: true });
  }
}

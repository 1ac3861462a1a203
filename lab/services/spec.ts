import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** How one tells that a service answers. */
const ready = z.discriminatedUnion('kind', [
  /** A CQL OPTIONS frame is answered: needs no login; Cassandra listens only once it has joined the ring. */
  z.object({ kind: z.literal('cql'), host: z.string(), port: z.number() }),
  /** Any HTTP answer, also 401: a first node of three has no master yet. */
  z.object({ kind: z.literal('http'), url: z.string(), caFile: z.string().optional() }),
  z.object({ kind: z.literal('tcp'), host: z.string(), port: z.number() }),
]);
export type Ready = z.output<typeof ready>;

const serviceSpec = z.object({
  /** Unique in the lab, such as `n1-cassandra`. */
  name: z.string(),
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  /** Where stdout and stderr go, appended. */
  log: z.string(),
  ready,
  startLimitMs: z.number(),
  /** How long SIGTERM may take before SIGKILL. */
  stopLimitMs: z.number(),
});
export type ServiceSpec = z.output<typeof serviceSpec>;

const runRecord = z.object({ pid: z.number(), startTime: z.number() });
export type RunRecord = z.output<typeof runRecord>;

/** Marks every process of a lab in its environment, so that none can be missed when the lab goes down. */
export const LAB_ID = 'SKEP_LAB_ID';

export async function writeSpec(root: string, spec: ServiceSpec): Promise<void> {
  await mkdir(path.join(root, 'services'), { recursive: true });
  await writeFile(path.join(root, 'services', `${spec.name}.json`), JSON.stringify(spec, null, 2));
}

export async function readSpec(root: string, name: string): Promise<ServiceSpec> {
  return serviceSpec.parse(JSON.parse(await readFile(path.join(root, 'services', `${name}.json`), 'utf8')));
}

/** Records which process a service is; written whole or not at all. */
export async function writeRun(root: string, name: string, run: RunRecord): Promise<void> {
  const file = path.join(root, 'run', `${name}.json`);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, JSON.stringify(run));
  await rename(`${file}.tmp`, file);
}

/** The recorded process of a service, or undefined when none was ever started. */
export async function readRun(root: string, name: string): Promise<RunRecord | undefined> {
  try {
    return runRecord.parse(JSON.parse(await readFile(path.join(root, 'run', `${name}.json`), 'utf8')));
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
}

/** Every recorded process of a lab folder; empty when the folder is not there. */
export async function readRuns(root: string): Promise<RunRecord[]> {
  let names: string[];
  try {
    names = await readdir(path.join(root, 'run'));
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw e;
  }
  const runs = await Promise.all(names.filter((n) => n.endsWith('.json')).map((n) => readRun(root, n.slice(0, -5))));
  return runs.filter((r) => r !== undefined);
}

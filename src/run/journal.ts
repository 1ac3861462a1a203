import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';

const journalSchema = z.object({
  run: z.string(),
  backup: z.string(),
  cluster: z.string(),
  startedAt: z.string(),
  done: z.array(z.string()),
  /** What later steps and an undo need to know of earlier ones. */
  facts: z.record(z.string(), z.json()),
  finished: z.boolean(),
});
type State = z.output<typeof journalSchema>;

/** Where this machine keeps what a command on a cluster must remember when it is killed. */
export function stateFolder(
  cluster: Pick<ClusterConfig, 'state_folder'>,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const byDefault = () => join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'skep');
  return env.SKEP_STATE ?? cluster.state_folder ?? byDefault();
}

/** Where the journal of a cluster's newest restore is. */
export function journalFile(folder: string, cluster: string): string {
  return join(folder, `restore-${cluster}.json`);
}

/** The backup whose restore into this cluster was begun and has not ended; undefined when there is none. */
export async function unfinishedRestore(folder: string, cluster: string): Promise<string | undefined> {
  const state = await read(journalFile(folder, cluster));
  return state && hasBegun(state) && !state.finished ? state.backup : undefined;
}

/** What a restore has done, on disk before the next step begins: a killed restore goes on where it stopped. */
export class Journal {
  /** True when an earlier run has taken steps of this restore. */
  readonly resumed: boolean;
  readonly #file: string;
  #state: State;

  private constructor(file: string, state: State) {
    this.#file = file;
    this.#state = state;
    this.resumed = state.done.length > 0;
  }

  /**
   * The unfinished restore of this backup into this cluster, or a new one. An unfinished restore of *another* backup is
   * `restore-failed`: the cluster is between two states.
   */
  static async open(o: { folder: string; cluster: string; backup: string; run: string }): Promise<Journal> {
    const file = journalFile(o.folder, o.cluster);
    const old = await read(file);
    if (old && !old.finished) {
      // Of one that changed nothing only the run goes on: its lease may still be there.
      if (!hasBegun(old)) return new Journal(file, { ...old, backup: o.backup });
      if (old.backup !== o.backup) {
        throw new SkepError('restore-failed', `a restore of ${old.backup} was begun and has not ended`, {
          hint: `Run \`skep restore ${old.backup}\` to the end first.`,
          context: { journal: file, done: old.done },
        });
      }
      return new Journal(file, old);
    }
    if (old) await rename(file, join(o.folder, `restore-${o.cluster}-${old.run}.json`));
    const startedAt = new Date().toISOString();
    return new Journal(file, { ...o, startedAt, done: [], facts: {}, finished: false });
  }

  /** Whether anything may have been changed. */
  get hasBegun(): boolean {
    return hasBegun(this.#state);
  }

  get finished(): boolean {
    return this.#state.finished;
  }

  /** Writes down that there is this run, before it takes what outlives it. */
  async save(): Promise<void> {
    await this.#save();
  }

  get run(): string {
    return this.#state.run;
  }

  fact(name: string): unknown {
    return this.#state.facts[name];
  }

  async setFact(name: string, value: z.core.util.JSONType): Promise<void> {
    this.#state.facts[name] = value;
    await this.#save();
  }

  isDone(step: string): boolean {
    return this.#state.done.includes(step);
  }

  async markDone(step: string): Promise<void> {
    this.#state.done.push(step);
    await this.#save();
  }

  /** These steps must be taken again: what they did is no longer so. */
  async forget(...steps: string[]): Promise<void> {
    this.#state.done = this.#state.done.filter((s) => !steps.includes(s));
    await this.#save();
  }

  async finish(): Promise<void> {
    this.#state.finished = true;
    await this.#save();
  }

  async #save(): Promise<void> {
    const folder = dirname(this.#file);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const next = `${this.#file}.next`;
    const h = await open(next, 'w', 0o600);
    try {
      await h.writeFile(`${JSON.stringify(this.#state, undefined, 2)}\n`);
      await h.sync();
    } finally {
      await h.close();
    }
    await rename(next, this.#file);
    const d = await open(folder);
    try {
      await d.sync();
    } finally {
      await d.close();
    }
  }
}

/** The first thing that is noted is where everything is, before the first step. */
function hasBegun(state: State): boolean {
  return state.done.length > 0 || Object.keys(state.facts).length > 0;
}

async function read(file: string): Promise<State | undefined> {
  const text = await readFile(file, 'utf8').catch((e) => {
    if (e.code === 'ENOENT') return undefined;
    throw e;
  });
  if (text === undefined) return undefined;
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch (e) {
    throw new SkepError('restore-failed', `the journal ${file} cannot be read`, {
      hint: 'Find out by hand how far that restore came, then move the journal away.',
      cause: e,
    });
  }
}

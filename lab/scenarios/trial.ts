import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SkepEvent } from '../../src/index.ts';
import type { Lab } from '../clusters/lab.ts';
import { ACCOUNTS } from '../hosts/accounts.ts';
import type { Endpoints } from '../load/endpoints.ts';
import { labEndpoints } from '../load/lab-endpoints.ts';
import { ledgerFiles } from '../ledger/ledger-folder.ts';
import type { LoadHandle } from '../load/load.ts';
import { startLoadProcess } from '../load/load-process.ts';
import { keptIndexShapes } from '../load/setup.ts';
import { prove } from '../proof/prove.ts';
import type { Proof } from '../proof/report.ts';
import { mustSkep, runSkep, type SkepRun } from './skep-process.ts';

export interface Backup {
  id: string;
  /** Decimal µs. */
  T: string;
  seconds: number;
  newBytes: number;
  lingerSeconds: number;
  attempts: number;
  fromMs: number;
  toMs: number;
  /** From the first pin of the last try until pins and snapshots were given back. */
  heldMs: number;
  peakRssBytes: Record<string, number>;
}

export interface TrialOptions {
  seed: string;
  /** Tells one line about what goes on. */
  say: (line: string) => void;
  /** Another configuration than the lab's own. */
  config?: string;
  /** Where attachments are, if not in the lab's folder. */
  attachmentsS3?: NonNullable<Endpoints['attachmentsS3']>;
}

/**
 * Transactions a second of a load that only has to go on: at full speed two cores have no time for anything else, and what
 * is written has to be read by every proof.
 */
export const STEADY_RATE = 4;

/** One story in a lab: a load with its ledger, backups under it, a loss, a restore, the proof. */
export class Trial {
  readonly lab: Lab;
  readonly config: string;
  readonly #o: TrialOptions;
  #load: LoadHandle | undefined;

  constructor(lab: Lab, o: TrialOptions) {
    this.lab = lab;
    this.config = o.config ?? lab.config;
    this.#o = o;
  }

  /** Where this lab's skep keeps its journals. */
  get state(): string {
    return join(this.lab.root, 'skep-state');
  }

  get load(): LoadHandle {
    if (!this.#load) throw new Error('no load runs');
    return this.#load;
  }

  /** Starts the writers; at full speed when `rate` is absent. */
  async startLoad(rate?: number): Promise<LoadHandle> {
    await mkdir(this.lab.record.ledger, { recursive: true });
    this.#load = await startLoadProcess(
      {
        endpoints: await this.#endpoints(),
        ledgerDir: this.lab.record.ledger,
        seed: this.#o.seed,
        ...(rate === undefined ? {} : { rate }),
      },
      this.lab.record.skep && ACCOUNTS.thehive,
    );
    return this.#load;
  }

  /** Waits until the load has ended so many transactions more; fails when it has ended itself. */
  async awaitTransactions(more: number): Promise<void> {
    const { load } = this;
    let ended = false;
    void load.ended.finally(() => (ended = true)).catch(() => undefined);
    const goal = (await load.stats()).count + more;
    while ((await load.stats()).count < goal) {
      if (ended) throw new Error('the load has ended');
      await delay(250);
    }
  }

  async stopLoad(): Promise<void> {
    await this.#load?.stop();
    this.#load = undefined;
  }

  /** Makes the repository when there is none. */
  async ensureRepository(): Promise<void> {
    const run = await runSkep(['list'], this.#skep());
    if (run.exitCode === 10) await mustSkep(['init'], this.#skep());
    else if (run.exitCode !== 0) throw new Error(run.error?.message ?? 'skep list failed');
  }

  /** A backup that must succeed; `onStage` is told of every stage that begins, and waited for at the end. */
  async backup(o: { onStage?: (stage: string) => Promise<void> } = {}): Promise<Backup> {
    const fromMs = Date.now();
    const side: Promise<void>[] = [];
    const skep = this.#skep();
    let pinnedAt = fromMs;
    let heldMs = 0;
    const onEvent = (e: SkepEvent) => {
      skep.onEvent(e);
      if (e.type === 'stage-started' && e.stage === 'pin') pinnedAt = Date.now();
      if (e.type === 'stage-done' && e.stage === 'release') heldMs = Date.now() - pinnedAt;
      if (e.type === 'stage-started' && o.onStage) side.push(o.onStage(e.stage));
    };
    const { result } = await mustSkep(['backup'], { ...skep, onEvent });
    await Promise.all(side);
    return { ...(result as unknown as Backup), fromMs, toMs: Date.now(), heldMs };
  }

  /** A backup that may fail. */
  tryBackup(signal?: AbortSignal): Promise<SkepRun> {
    return runSkep(['backup'], { ...this.#skep(), ...(signal ? { signal } : {}) });
  }

  async restore(id: string, args: readonly string[] = []): Promise<SkepRun & { result: Record<string, unknown> }> {
    return mustSkep(['restore', id, '--yes', ...args], this.#skep());
  }

  async prove(T: string): Promise<Proof> {
    const { ledger } = this.lab.record;
    return prove({
      endpoints: await this.#endpoints(),
      ledgerFiles: await ledgerFiles(ledger),
      T: BigInt(T),
      shapes: await keptIndexShapes(ledger),
    });
  }

  async #endpoints(): Promise<Endpoints> {
    const { attachmentsS3 } = this.#o;
    return { ...(await labEndpoints(this.lab.record)), ...(attachmentsS3 ? { attachmentsS3 } : {}) };
  }

  #skep() {
    const { say } = this.#o;
    const { skep } = this.lab.record;
    return {
      config: this.config,
      state: this.state,
      ...(skep ? { skep: skep as [string, ...string[]] } : {}),
      onEvent: (e: SkepEvent) => {
        if (e.type === 'stage-started' || e.type === 'warning') say(`    ${e.text}`);
      },
    };
  }
}

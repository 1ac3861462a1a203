import { readFile } from 'node:fs/promises';
import {
  killService,
  logEnd,
  runningProcess,
  type ServiceState,
  serviceState,
  startService,
  stopService,
} from './control.ts';
import { readSpec } from './spec.ts';

/** One service of a lab, as tests break and mend it. */
export class LabService {
  readonly name: string;
  readonly #root: string;

  constructor(root: string, name: string) {
    this.#root = root;
    this.name = name;
  }

  /** Starts it unless it runs; returns when it is ready. May be repeated. */
  async start(signal?: AbortSignal): Promise<void> {
    await startService(this.#root, this.name, signal);
  }

  /** Stops it in an orderly way; returns when its process is gone. May be repeated. */
  async stop(): Promise<void> {
    await stopService(this.#root, this.name);
  }

  /** Kills it with SIGKILL; returns when its process is gone. May be repeated. */
  async kill9(): Promise<void> {
    await killService(this.#root, this.name);
  }

  async state(): Promise<ServiceState> {
    return serviceState(this.#root, this.name);
  }

  /** The last lines of its log. */
  async logEnd(): Promise<string> {
    return logEnd(await readSpec(this.#root, this.name));
  }

  async pid(): Promise<number | undefined> {
    return (await runningProcess(this.#root, this.name))?.pid;
  }

  /** Resident memory in bytes; undefined when it does not run. */
  async residentBytes(): Promise<number | undefined> {
    const pid = await this.pid();
    if (pid === undefined) return undefined;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  }
}

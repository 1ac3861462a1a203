import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Lab } from '../../../lab/index.ts';

const LOOK_MS = 30;

/** Looks whether what must be secret is seen where others can see it. */
export class SecretWatch {
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #found = new Set<string>();
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `secrets` by what they are. */
  constructor(secrets: ReadonlyMap<string, string>) {
    for (const [what, secret] of secrets) if (secret.length < 16) throw new Error(`${what} is no secret: too short`);
    this.#secrets = secrets;
  }

  /** Every password of the lab, and the keys of its ssh. */
  static async of(lab: Lab, more: Record<string, string> = {}): Promise<SecretWatch> {
    const secrets = new Map(Object.entries(more));
    const folder = path.join(lab.root, 'secrets');
    for (const name of await readdir(folder)) {
      const word = (await readFile(path.join(folder, name), 'utf8')).trim().split(/\s/).at(-1) as string;
      if (name !== 'jmx.access') secrets.set(`the password in ${name}`, word);
    }
    if (lab.record.ssh) {
      const key = (await readFile(lab.record.ssh.key, 'utf8')).split('\n');
      secrets.set('the ssh key', key[2] as string);
    }
    return new SecretWatch(secrets);
  }

  /** How often it has looked at all processes. */
  get looks(): number {
    return this.#looks;
  }

  get found(): string[] {
    return [...this.#found].sort();
  }

  /** Looks at the arguments of all processes, again and again until `stop`. */
  watchProcesses(): void {
    let busy = false;
    this.#timer = setInterval(() => {
      if (busy) return;
      busy = true;
      void this.#lookAtProcesses().finally(() => (busy = false));
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** `where` is told when there is a secret in the text. */
  look(where: string, text: string): void {
    for (const [what, secret] of this.#secrets) if (text.includes(secret)) this.#found.add(`${what} in ${where}`);
  }

  /** All files below a folder that are text; compressed and raw contents are not. */
  async lookAtFiles(folder: string, isText: (name: string) => boolean): Promise<number> {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
    const texts = files
      .map((e) => path.join(e.parentPath, e.name))
      .filter((file) => isText(path.relative(folder, file)));
    for (const file of texts) this.look(file, await readFile(file, 'utf8'));
    return texts.length;
  }

  async #lookAtProcesses(): Promise<void> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const all = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    for (const line of all) this.look(`the arguments of ${line.split('\0').slice(0, 2).join(' ')}`, line);
    this.#looks++;
  }
}

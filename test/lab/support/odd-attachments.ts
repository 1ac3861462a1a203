// Attachments that come, grow and go at the worst moments of a backup, and what it must hold of them.
import { createHash } from 'node:crypto';
import { appendFile, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from '../../../lab/index.ts';

/** One is begun each second and is half-written for longer: at any moment there is such a one. */
const UPLOAD_EVERY_MS = 1_000;
const UPLOAD_TAKES_MS = 2_500;
/** The last look at the attachments has seen what was begun so long before its stage was told. */
const SEEN_MS = 500;
/** So much of a half-written one is there. */
const HALF = 6;

const SLOW = 'a slow upload, whole before T';
const DELETED = 'there at T, deleted before pass 2';
const CAME_AND_WENT = ['made after pass 1, deleted before pass 2', 'made after T, deleted before pass 2'] as const;
/** What `attachment.hash` of TheHive may begin with, but for its default. */
const OTHER_HASHES = ['md5', 'sha1', 'sha512'];

interface Upload {
  name: string;
  text: string;
  begunMs: number;
  isWhole: boolean;
}

export class OddAttachments {
  readonly #folder: string;
  readonly #uploads: Upload[] = [];
  readonly #ends: Promise<void>[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What the backup must hold, by name. */
  readonly expected: Record<string, string> = {};
  /** How many were half-written when a stage began. */
  readonly halves: Record<string, number> = {};

  constructor(lab: Lab) {
    this.#folder = path.join(lab.record.files.location, 'attachment');
  }

  /** Right before the backup. */
  async begin(): Promise<void> {
    await this.#write(DELETED);
    for (const hash of OTHER_HASHES) await this.#write(`named by its ${hash}`, hash);
    // Pass 1 does not wait for it: for a minute nobody has written to it.
    const slow = await this.#write(SLOW, 'sha256', HALF);
    const before = new Date(Date.now() - 60_000);
    await utimes(this.#at(slow), before, before);
    this.#timer = setInterval(() => this.#ends.push(this.#upload()), UPLOAD_EVERY_MS);
  }

  /** For `onStage` of the backup. */
  async atStage(stage: string): Promise<void> {
    this.halves[stage] = this.#uploads.filter((u) => !u.isWhole).length;
    if (stage === 'pin') {
      await appendFile(this.#at(nameOf(SLOW)), SLOW.slice(HALF));
      await this.#write(CAME_AND_WENT[0]);
    }
    if (stage === 'linger') await this.#write(CAME_AND_WENT[1]);
    if (stage === 'segments') {
      for (const text of [DELETED, ...CAME_AND_WENT]) await rm(this.#at(nameOf(text)));
    }
    if (stage === 'files-2') {
      this.stop();
      const seen = this.#uploads.filter((u) => u.begunMs < Date.now() - SEEN_MS);
      for (const { name, text } of seen) this.expected[name] = text;
      await Promise.all(this.#ends);
    }
  }

  /** No further uploads. May be called again. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Of those that the backup must hold: what a folder holds. */
  async read(location: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const name of Object.keys(this.expected)) {
      found[name] = await readFile(path.join(location, 'attachment', name), 'utf8').catch(() => 'not there');
    }
    return found;
  }

  async #upload(): Promise<void> {
    const text = `upload number ${this.#uploads.length}`;
    const hash = this.#uploads.length % 2 === 0 ? 'sha256' : 'md5';
    const upload = { name: nameOf(text, hash), text, begunMs: Date.now(), isWhole: false };
    this.#uploads.push(upload);
    await writeFile(this.#at(upload.name), text.slice(0, HALF));
    await delay(UPLOAD_TAKES_MS);
    await appendFile(this.#at(upload.name), text.slice(HALF));
    upload.isWhole = true;
  }

  /** The first bytes of one that the backup must hold whole; gives its name. */
  async #write(text: string, hash = 'sha256', bytes = text.length): Promise<string> {
    const name = nameOf(text, hash);
    this.expected[name] = text;
    await writeFile(this.#at(name), text.slice(0, bytes));
    return name;
  }

  #at(name: string): string {
    return path.join(this.#folder, name);
  }
}

function nameOf(text: string, hash = 'sha256'): string {
  return createHash(hash).update(text).digest('hex');
}

/** A kill matrix of repositories in a bucket of a real S3 server. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { S3Server } from '../../../../lab/index.ts';
import { S3Backend } from '../../../../src/repository/backend/s3/s3-backend.ts';
import { openRepository } from '../../../../src/repository/index.ts';
import type { S3Access } from '../../../../src/s3/access.ts';
import { oldVersions, uploadsUnderWay } from '../../support/s3.ts';
import { prepare } from './crash-case.ts';
import type { Ground, SeenStep } from './kill-matrix.ts';
import type { Operation } from './operations.ts';
import { ageFolder, type Place } from './place.ts';
import { watchRequests } from './request-steps.ts';

const run = promisify(execFile);

export class S3Ground implements Ground {
  readonly #server: S3Server;
  readonly #access: S3Access;
  readonly #bucket: string;

  constructor(server: S3Server, access: S3Access, bucket: string) {
    this.#server = server;
    this.#access = access;
    this.#bucket = bucket;
  }

  /** Prepares a matrix in the folder and the bucket; gives the steps of an undisturbed run. */
  async prepare(folder: string, op: Operation): Promise<SeenStep[]> {
    const template = join(folder, 'template');
    await prepare(template, op, this.#place('template'));
    await this.#copy('template', 'recorded');
    const events: SeenStep[] = [];
    const note = (phase: SeenStep['phase']) => (id: unknown, step: string) =>
      void events.push({ step, phase, id, halves: false });
    const repo = await openRepository(this.#place('recorded').access);
    watchRequests({ before: note('begin'), after: note('end') });
    try {
      await op.run(repo, template, 0);
    } finally {
      watchRequests(undefined);
    }
    await this.remove('recorded');
    return events;
  }

  async layOut(_: string, name: string): Promise<Place> {
    await this.#copy('template', name);
    return this.#place(name);
  }

  judging<T>(_: Place, work: () => Promise<T>): Promise<T> {
    return work();
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { recursive: true });
  }

  get #folder(): string {
    return join(this.#server.root, 's3', 'buckets', this.#bucket);
  }

  /** What the server knows of a key is in the attributes of its file. */
  async #copy(from: string, to: string): Promise<void> {
    await run('cp', ['-a', join(this.#folder, from), join(this.#folder, to)]);
  }

  #place(name: string): Place {
    const location = `s3://${this.#bucket}/${name}`;
    const backend = new S3Backend(location, this.#access);
    return {
      access: { location, s3: this.#access },
      backend: () => backend,
      age: () => {
        for (const place of [`${name}/leases`, `${name}/incoming`, '.sgwtmp']) ageFolder(join(this.#folder, place));
      },
      leftovers: async () => [
        ...(await uploadsUnderWay(this.#access, this.#bucket, `${name}/`)).map((key) => `an upload of ${key}`),
        ...(await oldVersions(this.#access, this.#bucket, `${name}/`)).map((key) => `an old version of ${key}`),
      ],
    };
  }
}

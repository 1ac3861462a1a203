import { GetObjectLockConfigurationCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import type { Retention } from '../retention.ts';
import { isUnknownToStorage } from '../../../s3/errors.ts';
import { LOCK_MODE, type S3Bucket } from './s3-bucket.ts';

/** Object lock in governance mode: a locked version is not deleted before its time but by who may bypass governance. */
export class S3Retention implements Retention {
  readonly #bucket: S3Bucket;
  #on: Promise<boolean> | undefined;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  isOn(): Promise<boolean> {
    const { bucket: Bucket, client } = this.#bucket;
    const command = new GetObjectLockConfigurationCommand({ Bucket });
    this.#on ??= this.#bucket
      .call('ask for object lock', (o) => client.send(command, o))
      .then(
        ({ ObjectLockConfiguration }) => ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled',
        (error: unknown) => {
          if (isUnknownToStorage(error)) return false;
          this.#on = undefined;
          throw error;
        },
      );
    return this.#on;
  }

  async lockedUntil(keys: readonly string[]): Promise<(Date | undefined)[]> {
    if (!(await this.isOn())) return keys.map(() => undefined);
    const heads = await Promise.all(keys.map((key) => this.#bucket.head(key)));
    return heads.map((head) => head?.retainUntil);
  }

  async lock(keys: readonly string[], until: Date): Promise<void> {
    const present = await this.lockedUntil(keys);
    const short = keys.filter((_, i) => (present[i]?.getTime() ?? 0) < until.getTime());
    await Promise.all(short.map((key) => this.#lock(key, until)));
  }

  async #lock(key: string, until: Date): Promise<void> {
    const Retention = { Mode: LOCK_MODE, RetainUntilDate: until } as const;
    const command = new PutObjectRetentionCommand({ ...this.#bucket.at(key), Retention });
    await this.#bucket.call(`lock ${key}`, (o) => this.#bucket.client.send(command, o));
  }
}

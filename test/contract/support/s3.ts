import { ListMultipartUploadsCommand, ListObjectVersionsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { S3Server } from '../../../lab/index.ts';
import { S3Backend } from '../../../src/repository/backend/s3/s3-backend.ts';
import { makeClient } from '../../../src/s3/client.ts';
import type { S3Access } from '../../../src/s3/access.ts';

/** A real S3 server for one test file; `down` it at the end. */
export function bootS3(o: { tls?: boolean } = {}): Promise<S3Server> {
  const root = join(tmpdir(), `skep-s3-${process.pid}-${randomBytes(4).toString('hex')}`);
  return S3Server.boot({ root, owner: process.pid, ...o });
}

export async function accessOf({ at }: S3Server): Promise<S3Access> {
  return {
    endpoint: at.endpoint,
    region: at.region,
    pathStyle: true,
    credentials: { accessKeyId: at.accessKey, secretAccessKey: at.secretKey },
    ...(at.caFile === undefined ? {} : { ca: await readFile(at.caFile, 'utf8') }),
  };
}

/** A new prefix of a bucket, as a backend under the contract. */
export async function s3UnderTest(server: S3Server, bucket: string) {
  const access = await accessOf(server);
  const prefix = randomBytes(4).toString('hex');
  const make = () => new S3Backend(`s3://${bucket}/${prefix}`, access);
  return {
    backend: make(),
    another: make,
    leftovers: () => uploadsUnderWay(access, bucket, `${prefix}/`),
    partsArrive: (parts: number) =>
      vi.waitFor(async () => expect(await partsOf(access, bucket, `${prefix}/`)).toBe(parts), { timeout: 30_000 }),
    dispose: async () => undefined,
  };
}

/** How many parts all uploads below a prefix have. */
async function partsOf(access: S3Access, bucket: string, prefix: string): Promise<number> {
  const client = makeClient(access, 1);
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
    const lists = Uploads.map(({ Key, UploadId }) =>
      client.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId })),
    );
    return (await Promise.all(lists)).reduce((n, { Parts = [] }) => n + Parts.length, 0);
  } finally {
    client.destroy();
  }
}

/** Keys of the multipart uploads that nobody ended. */
export async function uploadsUnderWay(access: S3Access, bucket: string, prefix: string): Promise<string[]> {
  const client = makeClient(access, 1);
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
    return Uploads.map(({ Key = '' }) => Key);
  } finally {
    client.destroy();
  }
}

/** Keys of what a bucket keeps although it was overwritten or deleted. */
export async function oldVersions(access: S3Access, bucket: string, prefix: string): Promise<string[]> {
  const client = makeClient(access, 1);
  try {
    const { Versions = [], DeleteMarkers = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }),
    );
    return [...Versions.filter(({ IsLatest }) => IsLatest !== true), ...DeleteMarkers].map(({ Key = '' }) => Key);
  } finally {
    client.destroy();
  }
}

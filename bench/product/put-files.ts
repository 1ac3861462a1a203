import { readFile } from 'node:fs/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { makeClient } from '../../src/s3/client.ts';
import type { S3Access } from '../../src/s3/access.ts';
import { input, print } from './agent.ts';

/** The peer of a backup to S3: puts whole files, so many at once, by the client that the product uses. */
const { s3, bucket, puts } = input<{ s3: S3Access; bucket: string; puts: { files: string[]; atOnce: number }[] }>();

const client = makeClient(s3, Math.max(...puts.map((p) => p.atOnce)));
for (const { files, atOnce } of puts) {
  const next = files.values();
  const worker = async () => {
    for (const file of next) {
      const Body = await readFile(file);
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: file, Body }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
client.destroy();
print({ files: puts.reduce((n, p) => n + p.files.length, 0) });

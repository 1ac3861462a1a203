import { afterAll, beforeAll, expect, test } from 'vitest';
import type { S3Server } from '../../lab/index.ts';
import { probeBackend } from '../../src/repository/backend/probe.ts';
import { S3Backend } from '../../src/repository/backend/s3/s3-backend.ts';
import { accessOf, bootS3 } from './support/s3.ts';

let server: S3Server;
beforeAll(async () => {
  server = await bootS3({ tls: true });
  await server.makeBucket('backups');
}, 600_000);
afterAll(() => server?.down());

test('an endpoint with a CA of its own is trusted by it, with large contents too', async () => {
  await probeBackend(new S3Backend('s3://backups/a', await accessOf(server)), { thorough: true });
});

test('is not trusted without it, and what mends that is told', async () => {
  const { ca: _, ...access } = await accessOf(server);
  await expect(new S3Backend('s3://backups/a', access).get('k')).rejects.toMatchObject({
    code: 'repository-failed',
    hint: expect.stringContaining('ca_file'),
  });
});

test('refuses a wrong secret key and an absent bucket, each as what it is', async () => {
  const access = await accessOf(server);
  const credentials = { accessKeyId: server.at.accessKey, secretAccessKey: 'not-the-key' };
  await expect(new S3Backend('s3://backups/a', { ...access, credentials }).get('k')).rejects.toMatchObject({
    code: 'repository-credentials',
    exitCode: 12,
  });
  await expect(new S3Backend('s3://no-such-bucket/a', access).get('k')).rejects.toMatchObject({
    code: 'repository-missing',
  });
});

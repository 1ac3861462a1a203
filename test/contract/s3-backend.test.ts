import { afterAll, beforeAll } from 'vitest';
import type { S3Server } from '../../lab/index.ts';
import { describeBackend } from './backend-contract.ts';
import { bootS3, s3UnderTest } from './support/s3.ts';

let server: S3Server;
beforeAll(async () => {
  server = await bootS3();
  await server.makeBucket('plain');
  await server.makeBucket('versioned', { objectLock: true });
}, 600_000);
afterAll(() => server?.down());

describeBackend('s3', () => s3UnderTest(server, 'plain'), { publishes: 'when added' });
describeBackend('s3 with versions', () => s3UnderTest(server, 'versioned'), { publishes: 'when added', many: 100 });

import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { S3Server } from '../../../lab/index.ts';
import { accessOf, bootS3 } from '../support/s3.ts';
import { failpointsOf, killAtEach, oneSide } from './support/kill-matrix.ts';
import { operation } from './support/operations.ts';
import { FEW, told } from './support/report.ts';
import { S3Ground } from './support/s3-ground.ts';
import { temporaryFolder } from './support/temporary.ts';

vi.setConfig({ testTimeout: 1_200_000 });

let server: S3Server;
beforeAll(async () => {
  server = await bootS3();
}, 600_000);
afterAll(() => server?.down());

test.each([
  // Uploads in parts are begun by copies.
  ['backup', 'versions', 9],
  ['forget', 'versions', 3],
  ['prune', 'none', 8],
  ['copy', 'none', 8],
])(
  'a %s that is killed at any kind of request to S3 (%s kept) does no harm, leaks nothing and can be run again',
  async (name, kept, least) => {
    const bucket = `${kept}-${name}`;
    await server.makeBucket(bucket, { objectLock: kept === 'versions' });
    const folder = await temporaryFolder();
    const ground = new S3Ground(server, await accessOf(server), bucket);
    const op = operation(name);
    const all = failpointsOf(await ground.prepare(folder, op), FEW);
    const failpoints = FEW ? oneSide(all) : all;
    const results = await killAtEach(folder, op, failpoints, ground);
    expect(told(op, `S3 (${kept} kept)`, results)).toEqual([]);
    expect(failpoints.length).toBeGreaterThan(least);
  },
);

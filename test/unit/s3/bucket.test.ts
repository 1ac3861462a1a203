// Storages that fall silent or do not end a listing: no real one can be made to.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { BucketWatch } from '../../../src/drivers/files/bucket-watch.ts';
import { PathTable } from '../../../src/drivers/files/path-table.ts';
import { Bucket } from '../../../src/s3/bucket.ts';
import { FOR_ATTACHMENTS } from '../../../src/s3/purpose.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function bucketOf(answer: RequestListener): Promise<Bucket> {
  server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const access = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    pathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  };
  return new Bucket('s3://bucket/prefix', access, FOR_ATTACHMENTS);
}

const xml = (inner: string): string => `<?xml version="1.0"?>${inner}`;

test('a listing that says that it goes on, and not where, is no whole listing', async () => {
  const page =
    '<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>prefix/a</Key><Size>1</Size></Contents></ListBucketResult>';
  const bucket = await bucketOf((_, response) => response.end(xml(page)));
  const keys: string[] = [];
  const all = (async () => {
    for await (const found of bucket.pages('')) keys.push(...found.map(({ key }) => key));
  })();
  await expect(all).rejects.toMatchObject({ code: 'attachments-failed' });
  expect(keys).toEqual(['a']);
});

test('a listing of versions that does not move on ends', async () => {
  const page =
    '<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>prefix/a</NextKeyMarker></ListVersionsResult>';
  const versioning = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
  const listing = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';
  const bucket = await bucketOf(({ url = '' }, response) =>
    response.end(xml(url.includes('versioning') ? versioning : url.includes('versions') ? page : listing)),
  );
  const watch = watchOf(bucket);
  await watch.start(1000);
  await expect(watch.look()).rejects.toMatchObject({ code: 'attachments-failed' });
});

test('a watch over a storage that fell silent ends when it is told to', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const bucket = await bucketOf(() => resolve());
  const watch = watchOf(bucket);
  const started = watch.start(1000);
  await asked;
  watch.halt();
  await expect(started).rejects.toMatchObject({ code: 'cancelled' });
  await watch.stop();
});

function watchOf(bucket: Bucket): BucketWatch {
  return new BucketWatch({ bucket, paths: new PathTable(), skip: () => false, onNew: () => undefined });
}

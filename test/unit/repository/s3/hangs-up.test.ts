// A storage that hangs up while a body is sent. Whether the answer gets through before that, no real one can be made to show.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { S3Bucket } from '../../../../src/repository/backend/s3/s3-bucket.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Keeps at most the token of one key. `hangUp` judges a PUT by its number: before the key is made, after it, or not at all. */
async function storage(hangUp: (put: number) => 'before' | 'after' | undefined, token?: string) {
  const seen = { puts: 0, token };
  const onPut = (request: IncomingMessage, response: ServerResponse): void => {
    const when = hangUp(++seen.puts);
    if (when !== 'before') seen.token ??= String(request.headers['x-amz-meta-skep-put']);
    if (when === undefined) request.resume().once('end', () => response.end());
    else request.socket.resetAndDestroy();
  };
  server = createServer((request, response) => {
    if (request.method === 'PUT') onPut(request, response);
    else if (seen.token === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': '5', 'x-amz-meta-skep-put': seen.token }).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const bucket = new S3Bucket('s3://bucket/prefix', {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    pathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
  return { bucket, seen };
}

test('a storage that hangs up since it has the key is not asked again', async () => {
  const { bucket, seen } = await storage(() => 'before', 'of another');
  expect(await bucket.create('key', Buffer.from('bytes'))).toBe('exists');
  expect(seen.puts).toBe(1);
});

test('one that hangs up after it has made the key has created it', async () => {
  const { bucket, seen } = await storage(() => 'after');
  expect(await bucket.create('key', Buffer.from('bytes'))).toBe('created');
  expect(seen.puts).toBe(1);
});

test('one that hangs up and has no such key is asked again', async () => {
  const { bucket, seen } = await storage((put) => (put === 1 ? 'before' : undefined));
  expect(await bucket.create('key', Buffer.from('bytes'))).toBe('created');
  expect(seen.puts).toBe(2);
});

test('one that always hangs up and has no such key is said not to be reached', async () => {
  const { bucket, seen } = await storage(() => 'before');
  await expect(bucket.create('key', Buffer.from('bytes'))).rejects.toMatchObject({
    code: 'repository-failed',
    message: expect.stringMatching(/cannot reach .* to write key: ECONNRESET/),
  });
  expect(seen.puts).toBe(3);
});

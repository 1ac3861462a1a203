import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Access } from './access.ts';

/** How long nothing may be heard from the storage: it may have to wait for its disks. */
const SILENCE_MS = 60_000;
const CONNECT_MS = 10_000;

/** The SDK's client. It does not retry: `retry.ts` does, and can be cancelled. */
export function makeClient(
  access: S3Access,
  sockets: number,
  more: Pick<S3ClientConfig, 'systemClockOffset'> = {},
): S3Client {
  const agent = { keepAlive: true, maxSockets: sockets };
  // Agents, not their options: of options the SDK makes others for large bodies, which do not know the CA.
  const httpsAgent = new HttpsAgent({ ...agent, ...(access.ca === undefined ? {} : { ca: access.ca }) });
  return new S3Client({
    region: access.region,
    forcePathStyle: access.pathStyle,
    ...(access.endpoint === undefined ? {} : { endpoint: access.endpoint }),
    ...(access.credentials === undefined ? {} : { credentials: stripped(access.credentials) }),
    ...more,
    maxAttempts: 1,
    // Of what it would print on stderr nothing is news: each failure is told, or tried again, by whoever called.
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    // The signature covers a SHA-256 of the body; many storages do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent,
    },
  });
}

function quiet(): void {}

function stripped({ accessKeyId, secretAccessKey, sessionToken }: NonNullable<S3Access['credentials']>) {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

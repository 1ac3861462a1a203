// A bucket in which TheHive of a lab keeps its attachments.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Lab, S3Server } from '../../../lab/index.ts';
import type { Endpoints } from '../../../lab/load/endpoints.ts';

const BUCKET = 'thehive';
const PREFIX = 'files/';

export interface AttachmentBucket {
  server: S3Server;
  location: string;
  /** For the load and the proof. */
  attachmentsS3: NonNullable<Endpoints['attachmentsS3']>;
  /** For `configVariant`. */
  changes: [key: string[], value: unknown][];
}

/** It keeps versions. `server.down()` ends it. */
export async function bootBucket(lab: Lab): Promise<AttachmentBucket> {
  const server = await S3Server.boot({ root: `${lab.root}-s3`, owner: process.pid });
  // Object lock makes it keep versions.
  await server.makeBucket(BUCKET, { objectLock: true });
  const { endpoint, region, accessKey, secretKey } = server.at;
  const keyIn = async (name: string, key: string) => {
    const file = path.join(lab.root, name);
    await writeFile(file, `${key}\n`, { mode: 0o600 });
    return { file };
  };
  const credentials = { access_key: await keyIn('s3-key', accessKey), secret_key: await keyIn('s3-secret', secretKey) };
  const location = `s3://${BUCKET}/${PREFIX}`;
  return {
    server,
    location,
    attachmentsS3: { bucket: BUCKET, prefix: PREFIX, endpoint, region, accessKey, secretKey },
    changes: [
      [['files', 'location'], location],
      [['files', 's3'], { endpoint, region, credentials }],
    ],
  };
}

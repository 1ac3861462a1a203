import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { removeLab } from '../clusters/remove.ts';
import { ensureS3Program } from '../ground/s3-program.ts';
import { findTools } from '../ground/tools.ts';
import { runTool } from '../ground/run-tool.ts';
import { bootAlone } from './boot-alone.ts';
import { LabService } from './service.ts';
import { type ServiceSpec, writeSpec } from './spec.ts';

export const S3_REGION = 'us-east-1';

/** How one reaches an S3 server of the lab. */
export interface S3Endpoint {
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
  /** Of the CA that signed its certificate, when it speaks TLS. */
  caFile?: string;
}

/** The service of an S3 server whose buckets are folders of `root/s3/buckets`; old versions are in `root/s3/versions`. */
export function s3Spec(o: {
  root: string;
  program: string;
  env: Record<string, string>;
  host: string;
  port: number;
  keys: Pick<S3Endpoint, 'accessKey' | 'secretKey'>;
  tls?: { certificate: string; key: string; caFile: string };
}): ServiceSpec {
  const home = path.join(o.root, 's3');
  const tls = o.tls === undefined ? [] : ['--cert', o.tls.certificate, '--key', o.tls.key];
  const global = ['--port', `${o.host}:${o.port}`, '--region', S3_REGION, '--keep-alive', '--quiet', ...tls];
  const posix = ['posix', '--versioning-dir', path.join(home, 'versions'), path.join(home, 'buckets')];
  const scheme = o.tls === undefined ? 'http' : 'https';
  return {
    name: 's3',
    argv: [o.program, ...global, ...posix],
    env: { ...o.env, ROOT_ACCESS_KEY: o.keys.accessKey, ROOT_SECRET_KEY: o.keys.secretKey },
    cwd: home,
    log: path.join(home, 's3.log'),
    ready: {
      kind: 'http',
      url: `${scheme}://${o.host}:${o.port}/`,
      ...(o.tls === undefined ? {} : { caFile: o.tls.caFile }),
    },
    startLimitMs: 30_000,
    stopLimitMs: 5_000,
  };
}

export async function makeS3Folders(root: string): Promise<void> {
  for (const name of ['buckets', 'versions']) await mkdir(path.join(root, 's3', name), { recursive: true });
}

/** An S3 server of its own, without a cluster. */
export class S3Server extends LabService {
  readonly root: string;
  readonly at: S3Endpoint;

  private constructor(root: string, at: S3Endpoint) {
    super(root, 's3');
    this.root = root;
    this.at = at;
  }

  /** Starts one on a free port of 127.0.0.1. It goes down with the process `owner`, however that ends. */
  static async boot(o: { root: string; owner: number; tls?: boolean }): Promise<S3Server> {
    const program = await ensureS3Program();
    return bootAlone(o, async (_, env) => {
      await makeS3Folders(o.root);
      const host = '127.0.0.1';
      const tls = o.tls === true ? await makeCertificate(path.join(o.root, 's3'), host) : undefined;
      const port = await freePort(host);
      const keys = { accessKey: 'skep-lab', secretKey: randomBytes(18).toString('base64url') };
      const spec = s3Spec({ root: o.root, program, env, host, port, keys, ...(tls === undefined ? {} : { tls }) });
      await writeSpec(o.root, spec);
      const endpoint = `${tls === undefined ? 'http' : 'https'}://${host}:${port}`;
      const at = { endpoint, region: S3_REGION, ...keys, ...(tls === undefined ? {} : { caFile: tls.caFile }) };
      return new S3Server(o.root, at);
    });
  }

  /** Makes a bucket as an administrator would; with object lock it keeps versions too. */
  async makeBucket(name: string, o: { objectLock?: boolean } = {}): Promise<void> {
    const { endpoint, accessKey, secretKey, caFile } = this.at;
    const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3');
    const client = new S3Client({
      endpoint,
      region: S3_REGION,
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      requestHandler: { httpsAgent: caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') } },
    });
    const ObjectLockEnabledForBucket = o.objectLock === true;
    await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket }));
    client.destroy();
  }

  /** Ends it and removes its folder with all that it stored. */
  async down(): Promise<void> {
    await removeLab(this.root);
  }
}

/** A certificate for one address, signed by itself. */
async function makeCertificate(folder: string, host: string) {
  const [certificate, key] = [path.join(folder, 'server.crt'), path.join(folder, 'server.key')];
  const openssl = (await findTools()).openssl ?? 'openssl';
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
  const names = ['-subj', '/CN=skep lab S3', '-addext', `subjectAltName=IP:${host}`];
  await runTool([openssl, 'req', '-x509', ...newKey, '-out', certificate, '-days', '30', ...names]);
  return { certificate, key, caFile: certificate };
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port: 0 }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

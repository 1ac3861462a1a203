import { readCa } from '../config/pem-file.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { readIdentities, readSecret } from '../config/secrets.ts';
import type { AttachmentPlace } from '../drivers/files/attachment-store.ts';
import { SkepError } from '../errors.ts';
import type { RepositoryAccess } from '../repository/index.ts';
import type { S3Access } from '../s3/access.ts';
import { isS3Location } from '../s3/location.ts';

type RepositoryConfig = ClusterConfig['repository'];
type S3Config = NonNullable<RepositoryConfig['s3']>;
/** What of skep.yaml says how an object storage is reached. */
type S3Key = 'repository' | 'files';

/** What opens the contents of a sealed repository. */
export interface ReadKeys {
  /** A file of age identities, a line each; what the configuration names when absent. */
  identityFile?: string | undefined;
}

/**
 * What the configuration says about the repository, with its secrets read: enough to write, list, verify and prune.
 * Errors: `secret-unreadable`, `config-invalid`.
 */
export async function accessTo(
  cluster: Pick<ClusterConfig, 'repository'>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RepositoryAccess> {
  return { ...(await placeOf(cluster, env)), ...(await writeKeys(cluster.repository.sealing)) };
}

/** The same, and what it takes to read contents. Without an identity a sealed repository stays closed. */
export async function readAccessTo(
  cluster: Pick<ClusterConfig, 'repository'>,
  keys: ReadKeys = {},
): Promise<RepositoryAccess> {
  const file = keys.identityFile;
  const source = file === undefined ? cluster.repository.sealing?.identity : { file };
  const what = file === undefined ? 'repository.sealing.identity' : '--identity';
  const identities = source === undefined ? undefined : await readIdentities(source, what);
  return { ...(await accessTo(cluster)), ...(identities === undefined ? {} : { identities }) };
}

/** Where the repository is, without the keys of a sealed one. */
export async function placeOf(
  cluster: Pick<ClusterConfig, 'repository'>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RepositoryAccess> {
  return s3PlaceOf(cluster.repository, 'repository', env);
}

/** Where TheHive keeps attachments, and how that is reached. Errors: `secret-unreadable`, `config-invalid`. */
export async function attachmentsOf(
  cluster: Pick<ClusterConfig, 'files'>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<AttachmentPlace> {
  return s3PlaceOf(cluster.files, 'files', env);
}

async function s3PlaceOf(
  { location, s3 }: { location: string; s3?: S3Config | undefined },
  key: S3Key,
  env: NodeJS.ProcessEnv,
): Promise<{ location: string; s3?: S3Access }> {
  if (!isS3Location(location)) return { location };
  return { location, s3: await accessToS3(s3 ?? { region: env.AWS_REGION ?? 'us-east-1' }, key, env) };
}

async function writeKeys(sealing: RepositoryConfig['sealing']): Promise<Partial<RepositoryAccess>> {
  if (sealing === undefined) return {};
  const what = 'repository.sealing.naming_key';
  const namingKey = (await readSecret(sealing.naming_key, what)).toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(namingKey)) {
    const hint = 'Make one with `openssl rand -hex 32`, or let `skep init` make the file.';
    throw new SkepError('secret-unreadable', `the secret for ${what} is not 64 hex digits`, { hint });
  }
  return { namingKey, recipients: sealing.recipients };
}

async function accessToS3(s3: S3Config, key: S3Key, env: NodeJS.ProcessEnv): Promise<S3Access> {
  const credentials = s3.credentials === undefined ? fromEnvironment(env) : await readCredentials(s3.credentials, key);
  return {
    region: s3.region,
    pathStyle: s3.path_style ?? s3.endpoint !== undefined,
    ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
    ...(s3.ca_file === undefined ? {} : { ca: await readCa(s3.ca_file, `${key}.s3.ca_file`) }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

async function readCredentials(
  from: NonNullable<S3Config['credentials']>,
  key: S3Key,
): Promise<S3Access['credentials']> {
  const { session_token: token } = from;
  return {
    accessKeyId: await readSecret(from.access_key, `${key}.s3.credentials.access_key`),
    secretAccessKey: await readSecret(from.secret_key, `${key}.s3.credentials.secret_key`),
    ...(token === undefined ? {} : { sessionToken: await readSecret(token, `${key}.s3.credentials.session_token`) }),
  };
}

/** This machine's, for the nodes too: theirs is another environment. */
function fromEnvironment(env: NodeJS.ProcessEnv): S3Access['credentials'] {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) };
}

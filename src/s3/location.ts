import { SkepError } from '../errors.ts';

const SCHEME = 's3://';

/** A place in an object storage. The prefix is empty or ends with `/`. */
export interface S3Location {
  bucket: string;
  prefix: string;
}

export function isS3Location(location: string): boolean {
  return location.startsWith(SCHEME);
}

/** `s3://bucket` or `s3://bucket/prefix`. Error: `config-invalid`. */
export function parseS3Location(location: string): S3Location {
  const [bucket = '', ...folders] = location.slice(SCHEME.length).split('/');
  const parts = folders.filter((part) => part !== '');
  const bad = !/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket) || parts.some((p) => p === '.' || p === '..');
  if (!isS3Location(location) || bad) {
    throw new SkepError('config-invalid', `${location} is not s3://bucket or s3://bucket/prefix`);
  }
  return { bucket, prefix: parts.map((part) => `${part}/`).join('') };
}

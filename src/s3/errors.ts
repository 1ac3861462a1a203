import { SkepError, type ErrorCode, type ErrorDetails } from '../errors.ts';
import { throwIfCancelled } from '../cancel.ts';
import type { S3Purpose } from './purpose.ts';

const CREDENTIALS = new Set([
  'AccessDenied',
  'AccountProblem',
  'AllAccessDisabled',
  'CredentialsProviderError',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
  'XAdminUserNotFound',
]);
const REGION = new Set(['AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', 'PermanentRedirect']);
/** Answers that say that the same request may succeed later. */
const LATER = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'InternalError',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequests',
  'XAmzContentSHA256Mismatch',
]);
const NETWORK = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
]);
const NO_SPACE = /InsufficientStorage|Quota|StorageFull|NoSpace|OutOfSpace/i;
const TLS = /^(CERT_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_)|^EPROTO$/;

/** What an error of the SDK tells, whatever its class. */
interface Facts {
  /** The storage's code, else the system's, else the name of the error. */
  code: string;
  status: number | undefined;
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes(factsOf(error).code);
}

/** Whether the connection ended before there was an answer. */
export function isCutOff(error: unknown): boolean {
  return isCode(error, 'ECONNABORTED', 'ECONNRESET', 'EPIPE');
}

export function isRetryable(error: unknown): boolean {
  const { code, status } = factsOf(error);
  if (NO_SPACE.test(code) || status === 501 || status === 507) return false;
  return LATER.has(code) || NETWORK.has(code) || status === 429 || (status !== undefined && status >= 500);
}

/** Where a request went, and what for. */
export interface S3Place {
  location: string;
  endpoint: string;
  purpose: S3Purpose;
}

/** A question about the bucket that the storage does not know, or does not answer to us. */
export function isUnknownToStorage(error: unknown): boolean {
  const status = error instanceof SkepError ? Number(error.context['status']) : NaN;
  return status < 500 || status === 501;
}

/** A failure of the object storage as a typed error. `what` reads like "write objects/ab/…". */
export function s3Error(error: unknown, what: string, place: S3Place, signal?: AbortSignal): SkepError {
  if (error instanceof SkepError) return error;
  try {
    throwIfCancelled(signal);
  } catch (cancelled) {
    return cancelled as SkepError;
  }
  const facts = factsOf(error);
  const { code, status } = facts;
  const { key, noBucket, noObject, credentials, failed } = place.purpose;
  const make = (as: ErrorCode, message: string, details: ErrorDetails = {}): SkepError =>
    new SkepError(as, message, { cause: causeOf(error, code), context: contextOf(facts), ...details });
  const why = status === undefined ? code : `${code} (${status})`;
  if (code === 'NoSuchBucket') {
    return make(noBucket, `there is no bucket for ${place.location} at ${place.endpoint}`, {
      hint: `Make the bucket, or mend \`${key}\` in skep.yaml; then \`skep check\`.`,
    });
  }
  if (NO_SPACE.test(code) || status === 507) {
    return make('no-space', `no space or quota in ${place.location} to ${what}: ${why}`);
  }
  // Before the status is looked at: some storages answer 404 to a key that they do not know.
  if (CREDENTIALS.has(code) || status === 401 || (status === 403 && !LATER.has(code))) {
    return make(credentials, `the storage at ${place.endpoint} refuses to ${what}: ${why}`);
  }
  if (code === 'RequestTimeTooSkewed') {
    return make('clock-skew', `the storage at ${place.endpoint} and this machine disagree about the time`, {
      hint: 'Set the clock of the machine that runs this (chrony or ntpd), then run the command again.',
    });
  }
  if (REGION.has(code)) {
    return make('config-invalid', `the storage at ${place.endpoint} belongs to another region: ${why}`, {
      hint: `Mend \`${key}.s3.region\` and \`${key}.s3.endpoint\` in skep.yaml.`,
    });
  }
  if (status === 404) return make(noObject, `nothing there to ${what}`);
  if (status === undefined && TLS.test(code)) {
    return make(failed, `the certificate of ${place.endpoint} is not trusted: ${code}`, {
      hint: `Name the CA that signed it in \`${key}.s3.ca_file\`, or mend \`${key}.s3.endpoint\`.`,
    });
  }
  if (NETWORK.has(code) || code === 'ENOTFOUND' || code === 'TimeoutError') {
    return make(failed, `cannot reach ${place.endpoint} to ${what}: ${code}`, {
      retryable: true,
      hint: `Check \`${key}.s3.endpoint\` and the network between the nodes and it; then \`skep check\`.`,
    });
  }
  return make(failed, `cannot ${what}: ${why}`, { retryable: isRetryable(error) });
}

function factsOf(error: unknown): Facts {
  const { name, Code, code, $metadata } = (error ?? {}) as {
    name?: unknown;
    Code?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown };
  };
  const status = typeof $metadata?.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined;
  const known = [Code, status === undefined ? code : undefined, name].find((c) => typeof c === 'string' && c !== '');
  return { code: (known as string | undefined) ?? 'unknown', status };
}

/** Without what hangs on the SDK's error: its request carries a signature and perhaps a session token. */
function causeOf(error: unknown, code: string): Error {
  return new Error(`${code}: ${error instanceof Error ? error.message : String(error)}`);
}

function contextOf({ code, status }: Facts): Record<string, unknown> {
  return { code, ...(status === undefined ? {} : { status }) };
}

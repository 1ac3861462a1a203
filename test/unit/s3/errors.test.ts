import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { isRetryable, s3Error } from '../../../src/s3/errors.ts';
import { FOR_REPOSITORY } from '../../../src/s3/purpose.ts';

const place = { location: 's3://b/p', endpoint: 'https://s3.example', purpose: FOR_REPOSITORY };
const SECRET = 'wJalrXUtnFEMI';

/** As the SDK throws them: with the request, and what signed it, hanging on. */
function answered(name: string, status: number): Error {
  const request = { headers: { authorization: SECRET, 'x-amz-security-token': SECRET } };
  return Object.assign(new Error(`${name} happened`), {
    name,
    $metadata: { httpStatusCode: status },
    $response: request,
  });
}

function system(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code, $metadata: {} });
}

const cases: [Error, string, boolean][] = [
  [answered('SignatureDoesNotMatch', 403), 'repository-credentials', false],
  [answered('InvalidAccessKeyId', 403), 'repository-credentials', false],
  [answered('XAdminUserNotFound', 404), 'repository-credentials', false],
  [answered('AccessDenied', 403), 'repository-credentials', false],
  [answered('Unknown', 403), 'repository-credentials', false],
  [answered('ExpiredToken', 400), 'repository-credentials', false],
  [answered('NoSuchBucket', 404), 'repository-missing', false],
  [answered('NoSuchKey', 404), 'object-missing', false],
  [answered('NotFound', 404), 'object-missing', false],
  [answered('RequestTimeTooSkewed', 403), 'clock-skew', true],
  [answered('AuthorizationHeaderMalformed', 400), 'config-invalid', false],
  [answered('PermanentRedirect', 301), 'config-invalid', false],
  [answered('QuotaExceeded', 403), 'no-space', false],
  [answered('XMinioStorageFull', 507), 'no-space', false],
  [answered('InsufficientStorage', 507), 'no-space', false],
  [answered('SlowDown', 503), 'repository-failed', true],
  [answered('InternalError', 500), 'repository-failed', true],
  [answered('ConditionalRequestConflict', 409), 'repository-failed', true],
  [answered('NotImplemented', 501), 'repository-failed', false],
  [answered('InvalidArgument', 400), 'repository-failed', false],
  [system('ECONNREFUSED'), 'repository-failed', true],
  [system('ECONNRESET'), 'repository-failed', true],
  [system('ENOTFOUND'), 'repository-failed', false],
  [system('SELF_SIGNED_CERT_IN_CHAIN'), 'repository-failed', false],
];

describe('a failure of the object storage', () => {
  test.each(cases)('%s is told as %s', (error, code, retryable) => {
    const told = s3Error(error, 'write k', place);
    expect(told.code).toBe(code);
    expect(isRetryable(error)).toBe(retryable);
    expect(told.message).toMatch(/^[a-z].*[^.]$/);
  });

  test.each(cases)('%s carries nothing of the request', (error) => {
    const told = s3Error(error, 'write k', place);
    expect(JSON.stringify(told) + String((told.cause as Error).stack)).not.toContain(SECRET);
    expect(told.cause).not.toBe(error);
    expect(Object.keys(told.cause as Error)).toEqual([]);
  });

  test('tells a certificate that is not trusted from a place that is not reached', () => {
    expect(s3Error(system('SELF_SIGNED_CERT_IN_CHAIN'), 'read k', place).hint).toContain('ca_file');
    expect(s3Error(system('ECONNREFUSED'), 'read k', place).message).toContain('https://s3.example');
  });

  test('of a cancelled run is the reason of its end', () => {
    const reason = new SkepError('terminated', 'asked to end');
    expect(s3Error(new Error('aborted'), 'read k', place, AbortSignal.abort(reason))).toBe(reason);
    expect(s3Error(new Error('aborted'), 'read k', place, AbortSignal.abort()).code).toBe('cancelled');
  });
});

import { describe, expect, test } from 'vitest';
import { parseS3Location } from '../../../src/s3/location.ts';

describe('a location on an object storage', () => {
  test.each([
    ['s3://backups', 'backups', ''],
    ['s3://backups/', 'backups', ''],
    ['s3://backups/thehive', 'backups', 'thehive/'],
    ['s3://my.bucket-1/a//b/', 'my.bucket-1', 'a/b/'],
  ])('%s is bucket %s with prefix "%s"', (location, bucket, prefix) => {
    expect(parseS3Location(location)).toEqual({ bucket, prefix });
  });

  test.each(['s3://', 's3://x', 's3:///p', 's3://b_!/p', 's3://bucket/../p', '/a/path', 'https://bucket/p'])(
    '%s is refused',
    (location) => {
      expect(() => parseS3Location(location)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    },
  );
});

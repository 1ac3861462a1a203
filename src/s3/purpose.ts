import type { ErrorCode } from '../errors.ts';

/** What skep has an object storage for: the words of its errors. */
export interface S3Purpose {
  /** Where skep.yaml says how it is reached. */
  key: string;
  noBucket: ErrorCode;
  noObject: ErrorCode;
  credentials: ErrorCode;
  failed: ErrorCode;
}

export const FOR_REPOSITORY: S3Purpose = {
  key: 'repository',
  noBucket: 'repository-missing',
  noObject: 'object-missing',
  credentials: 'repository-credentials',
  failed: 'repository-failed',
};

export const FOR_ATTACHMENTS: S3Purpose = {
  key: 'files',
  noBucket: 'file-missing',
  noObject: 'file-missing',
  credentials: 'attachments-credentials',
  failed: 'attachments-failed',
};

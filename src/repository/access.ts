import { z } from 'zod';
import { s3Access } from '../s3/access.ts';

/** What it takes to open a repository: the same value on the controller and on the nodes. */
export const repositoryAccess = z.strictObject({
  /** An absolute path, or `s3://bucket` with an optional `/prefix`. */
  location: z.string().min(1),
  s3: s3Access.optional(),
  /** The controller reads and writes it for this node, which does not reach it (`setRelay`). */
  relayed: z.boolean().optional(),
  /** Of a sealed repository: names objects; 64 hex digits. */
  namingKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Of a sealed repository: whom new contents must be sealed to (`age1…`), so that no other recipient gets in. */
  recipients: z.array(z.string().min(1)).min(1).optional(),
  /** Of a sealed repository: age identities (`AGE-SECRET-KEY-1…`), only for who reads. */
  identities: z.array(z.string().min(1)).optional(),
});

export type RepositoryAccess = z.output<typeof repositoryAccess>;

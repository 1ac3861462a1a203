import { z } from 'zod';

/** How an object storage is reached. Holds secrets: it goes over the protocol, never onto a command line or into a log. */
export const s3Access = z.strictObject({
  /** The region's own address when absent. */
  endpoint: z.url().optional(),
  region: z.string().min(1),
  /** `https://endpoint/bucket` instead of `https://bucket.endpoint`. */
  pathStyle: z.boolean(),
  /** PEM of the CA that signed the endpoint's certificate; the system's when absent. */
  ca: z.string().optional(),
  /** The environment's, as the SDK finds them, when absent. */
  credentials: z
    .strictObject({
      accessKeyId: z.string().min(1),
      secretAccessKey: z.string().min(1),
      sessionToken: z.string().optional(),
    })
    .optional(),
});

export type S3Access = z.output<typeof s3Access>;

import { z } from 'zod';

/**
 * All that the load and the proof know of a cluster: where JanusGraph Server listens (`ws://host:port/gremlin`),
 * the Elasticsearch nodes with the user of the application, and the folder that holds `attachment/`.
 * `cassandra` is needed for the side table only.
 */
export const endpointsSchema = z.object({
  gremlinUrl: z.string(),
  elasticsearch: z.object({
    urls: z.array(z.string()).min(1),
    caFile: z.string().exactOptional(),
    user: z.string().exactOptional(),
    password: z.string().exactOptional(),
  }),
  attachmentsDir: z.string(),
  /** Attachments are kept here instead; the prefix is empty or ends with `/`. */
  attachmentsS3: z
    .object({
      bucket: z.string(),
      prefix: z.string(),
      endpoint: z.string(),
      region: z.string(),
      accessKey: z.string(),
      secretKey: z.string(),
    })
    .exactOptional(),
  cassandra: z
    .object({
      contactPoints: z.array(z.string()).min(1),
      port: z.number().int().exactOptional(),
      localDataCenter: z.string(),
      user: z.string(),
      password: z.string(),
    })
    .exactOptional(),
});

export type Endpoints = z.infer<typeof endpointsSchema>;

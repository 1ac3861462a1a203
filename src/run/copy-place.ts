import type { ClusterConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';

/**
 * The repository of a copy: a name among `copies` of the configuration, or a location that has the keys of the cluster's own.
 * Error: `usage`.
 */
export function copyPlace(cluster: ClusterConfig, text: string): Pick<ClusterConfig, 'repository'> {
  const named = cluster.copies[text];
  if (named !== undefined) return { repository: named };
  if (text.startsWith('/') || text.startsWith('s3://')) {
    return { repository: { ...cluster.repository, location: text } };
  }
  const names = Object.keys(cluster.copies).join(', ') || 'none';
  throw new SkepError('usage', `${text} is neither a location nor one of the copies of skep.yaml (${names})`, {
    hint: 'Give an absolute path, or name it under `copies` in skep.yaml.',
  });
}

import { SkepError } from '../errors.ts';
import type { Results } from '../protocol/methods.ts';
import { isS3Location } from '../s3/location.ts';

/** How many paths an error names. */
const NAMED = 10;

/**
 * Attachments that were gone before they could be pinned or, in a bucket, read. TheHive deletes one before it commits that nobody refers to
 * it any more: what was gone longer before `T` than a commit may take is nothing that the graph refers to at `T`, any other may
 * be. Error: `backup-incomplete`.
 */
export function refuseLost(
  lost: Results['files.finish']['lost'],
  o: { T: bigint; lingerMs: number; location: string; nowMs?: number },
): void {
  const sinceMs = Number(o.T / 1000n) - o.lingerMs;
  const nowMs = o.nowMs ?? Date.now();
  const needed = lost.filter(({ agoMs }) => nowMs - agoMs >= sinceMs).map(({ path }) => path);
  if (needed.length === 0) return;
  const names = needed.slice(0, NAMED).join(', ');
  const more = needed.length > NAMED ? `, and ${needed.length - NAMED} more` : '';
  throw new SkepError('backup-incomplete', `attachments were deleted before they could be read: ${names}${more}`, {
    retryable: true,
    hint: `Run \`skep backup\` again.${isS3Location(o.location) ? ` With versioning of ${o.location} turned on it cannot happen.` : ''}`,
    context: { location: o.location, lost: needed },
  });
}

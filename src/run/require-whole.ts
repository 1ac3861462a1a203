import { SkepError } from '../errors.ts';
import type { FindingKind, Repository, VerifyLevel } from '../repository/index.ts';

/**
 * What a restore does not need: keys have opened what they were needed for, or the verify itself has failed; the manifest has
 * been read, so its copy is not asked; and the page and the script beside it are for who has no skep.
 */
const NOT_NEEDED: ReadonlySet<FindingKind> = new Set([
  'keys-missing',
  'keys-damaged',
  'manifest-copy-missing',
  'manifest-copy-damaged',
  'companion-missing',
  'companion-damaged',
]);

/** Verifies a backup before it is restored. Error: `damage-found`. */
export async function requireWhole(
  repository: Pick<Repository, 'verify'>,
  backup: string,
  options: { level: VerifyLevel; signal: AbortSignal },
): Promise<void> {
  const report = await repository.verify({ ids: [backup], ...options });
  const findings = report.findings.filter(({ kind }) => !NOT_NEEDED.has(kind));
  if (findings.length === 0) return;
  throw new SkepError('damage-found', `backup ${backup} is damaged: ${findings.length} findings`, {
    context: { findings: findings.slice(0, 20) },
  });
}

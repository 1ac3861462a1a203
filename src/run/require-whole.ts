import { SkepError } from '../errors.ts';
import type { Repository, VerifyLevel } from '../repository/index.ts';

/**
 * Verifies a backup before it is restored. Damaged keys are not in the way: whatever they were needed for was opened already,
 * or the verify itself has failed. Error: `damage-found`.
 */
export async function requireWhole(
  repository: Pick<Repository, 'verify'>,
  backup: string,
  options: { level: VerifyLevel; signal: AbortSignal },
): Promise<void> {
  const report = await repository.verify({ ids: [backup], ...options });
  const findings = report.findings.filter(({ kind }) => kind !== 'keys-missing' && kind !== 'keys-damaged');
  if (findings.length === 0) return;
  throw new SkepError('damage-found', `backup ${backup} is damaged: ${findings.length} findings`, {
    context: { findings: findings.slice(0, 20) },
  });
}

/** How many backups of which kind are to be kept; each keeps the newest backup of as many hours, days, … as it says. */
export interface RetentionRules {
  last?: number;
  hourly?: number;
  daily?: number;
  /** Weeks begin on Monday (ISO 8601). */
  weekly?: number;
  monthly?: number;
  /** All backups that are no older than this, seen from the newest one: no clock has a say. */
  withinMs?: number;
}

interface Dated {
  id: string;
  /** The instant that the backup holds, ms since 1970. */
  atMs: number;
}

const PERIODS = {
  hourly: (at: Date) => `${at.toISOString().slice(0, 13)}h`,
  daily: (at: Date) => at.toISOString().slice(0, 10),
  weekly: isoWeek,
  monthly: (at: Date) => at.toISOString().slice(0, 7),
} as const;

/** For each backup why it is kept, newest first; those without a reason are to be forgotten. All periods are of UTC. */
export function applyRules(backups: readonly Dated[], rules: RetentionRules): Map<string, string[]> {
  const newestFirst = [...backups].sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  const reasons = new Map<string, string[]>(newestFirst.map(({ id }) => [id, []]));
  const keep = (id: string, reason: string) => reasons.get(id)?.push(reason);
  newestFirst.slice(0, rules.last ?? 0).forEach(({ id }, i) => keep(id, `last ${i + 1}`));
  for (const [name, periodOf] of Object.entries(PERIODS) as [keyof typeof PERIODS, (at: Date) => string][]) {
    const periods = new Set<string>();
    for (const { id, atMs } of newestFirst) {
      if (periods.size >= (rules[name] ?? 0)) break;
      const period = periodOf(new Date(atMs));
      if (!periods.has(period)) keep(id, `${name} ${period}`);
      periods.add(period);
    }
  }
  const [newest] = newestFirst;
  const { withinMs } = rules;
  if (newest !== undefined && withinMs !== undefined) {
    for (const { id, atMs } of newestFirst) if (newest.atMs - atMs <= withinMs) keep(id, 'within');
  }
  return reasons;
}

/** Whether anything at all would be kept on purpose: without a rule every backup would go. */
export function hasRule(rules: RetentionRules): boolean {
  return Object.values(rules).some((value: number | undefined) => value !== undefined && value > 0);
}

/** The year of a week is that of its Thursday. */
function isoWeek(at: Date): string {
  const thursday = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7));
  const days = (thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / 86_400_000;
  return `${thursday.getUTCFullYear()}-W${String(Math.floor(days / 7) + 1).padStart(2, '0')}`;
}

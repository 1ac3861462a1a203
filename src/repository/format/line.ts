import { NAME_PATTERN } from './names.ts';

/** What lines of pieces are made of, as JSON gives it. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasOnly(line: Record<string, unknown>, members: ReadonlySet<string>): boolean {
  for (const key in line) if (!members.has(key)) return false;
  return true;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME_PATTERN.test(value);
}

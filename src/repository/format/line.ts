const NAME_LENGTH = 64;
/** By character code: 1 where it is a digit of a name. */
const IS_DIGIT = new Uint8Array(128);
for (const digit of '0123456789abcdef') IS_DIGIT[digit.charCodeAt(0)] = 1;

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

/** What `NAME_PATTERN` says, in less than half the time: a backup asks it of millions. */
export function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value.length !== NAME_LENGTH) return false;
  let all = 1;
  for (let at = 0; at < NAME_LENGTH; at++) {
    const code = value.charCodeAt(at);
    all &= code < IS_DIGIT.length ? (IS_DIGIT[code] as number) : 0;
  }
  return all === 1;
}

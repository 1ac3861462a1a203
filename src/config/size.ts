import { z } from 'zod';

const UNITS = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** `64MB`, `1.5GB`, `0B` as bytes; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const m = /^(\d+(?:\.\d+)?) ?(B|KB|MB|GB|TB)$/.exec(text.trim());
  if (!m) return undefined;
  return Math.round(Number(m[1]) * UNITS[m[2] as keyof typeof UNITS]);
}

/** A configuration value in bytes, written as `64MB`, `1GB`, or `0`. */
export const size = z
  .union([z.string(), z.literal(0)], { error: 'not a size (write 64MB, 1GB, 0)' })
  .transform((text, ctx) => {
    // Nothing is nothing in every unit.
    const bytes = text === 0 || text === '0' ? 0 : parseSize(text);
    if (bytes === undefined) {
      ctx.addIssue({ code: 'custom', message: `not a size: ${JSON.stringify(text)} (write 64MB, 1GB, 0)` });
      return z.NEVER;
    }
    return bytes;
  });

const SURROGATE = /[\ud800-\udfff]/;

/** Order of the UTF-8 bytes of two strings: negative, 0, positive. JavaScript's own order differs above U+FFFF. */
export function compareBytewise(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

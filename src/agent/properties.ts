/** A Java properties file as Cassandra reads it: comments, `=`, `:` or blanks between key and value, joined lines. */
export function parseProperties(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  const joined = text.replace(/\\\r?\n[ \t]*/g, '');
  for (const line of joined.split(/\r?\n/)) {
    const m = /^[ \t]*([^#!\s=:][^\s=:]*)[ \t]*[=: \t]?[ \t]*(.*)$/.exec(line);
    if (m?.[1] !== undefined) out[m[1]] = (m[2] ?? '').trim();
  }
  return out;
}

/** What a listing keeps of a file beside its content, from its stat. An object storage knows no mode. */
export function attributesOf(s: { mtimeMs: number; mode?: number }): { mtimeMs: number; mode?: number } {
  return { mtimeMs: Math.floor(s.mtimeMs), ...(s.mode === undefined ? {} : { mode: s.mode & 0o7777 }) };
}

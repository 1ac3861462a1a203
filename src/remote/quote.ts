/**
 * One argument for a POSIX shell: as it is when harmless, else in single quotes. The only place that quotes. `=` is not
 * harmless: `A=b` in front is an assignment, and zsh expands `=b`.
 */
export function quote(arg: string): string {
  if (/^[A-Za-z0-9_@+:,./-]+$/.test(arg)) return arg;
  return `'${arg.replaceAll("'", `'\\''`)}'`;
}

/** An argv as one line for a POSIX shell. */
export function quoteAll(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}

/** Tells what goes on, a line at a time on stderr, each with the seconds since the beginning. */
export function narrator(): (line: string) => void {
  const started = performance.now();
  return (line) => {
    const at = ((performance.now() - started) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`${at}s  ${line}\n`);
  };
}

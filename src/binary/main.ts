/** All of skep behind one name: with `agent` as its first word it is what runs on a node, otherwise the command line. */
export async function main(): Promise<void> {
  if (process.argv[2] === 'agent') {
    const { runAgent } = await import('../agent/run-agent.ts');
    return runAgent();
  }
  const { runCommandLine } = await import('../cli/run.ts');
  return runCommandLine();
}

import { createInterface } from 'node:readline/promises';

/** Whether somebody can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true;
}

/** Asks on the terminal; gives the answer without blanks around it. */
export async function ask(question: string): Promise<string> {
  const rl = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await rl.question(question)).trim();
  } finally {
    rl.close();
  }
}

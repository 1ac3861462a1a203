import { execa } from 'execa';
import { SkepError } from '../../src/errors.ts';

/** Options of {@link runTool}. */
export interface ToolOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  signal?: AbortSignal;
}

/** Runs a tool of the machine and gives its stdout; a failure is a `command-failed` with the last lines it printed. */
export async function runTool(argv: readonly string[], options: ToolOptions = {}): Promise<string> {
  const [file, ...args] = argv;
  if (file === undefined) throw new SkepError('internal', 'a tool was run without a name');
  const result = await execa(file, args, {
    reject: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  if (!result.failed) return String(result.stdout);
  options.signal?.throwIfAborted();
  const said = shorten(`${String(result.stdout)}\n${String(result.stderr)}`.trim().split('\n')).join('\n');
  throw new SkepError('command-failed', `${file} failed: ${said === '' ? result.shortMessage : said}`, {
    hint: `Run \`make setup\` to see whether a package is missing, then \`${file}\` by hand.`,
    context: { argv: [...argv], exitCode: result.exitCode ?? null },
    cause: result.cause,
  });
}

/** Java says what failed first, Maven last: the beginning and the end of long output. */
function shorten(lines: readonly string[]): string[] {
  return lines.length <= 20 ? [...lines] : [...lines.slice(0, 5), '…', ...lines.slice(-14)];
}

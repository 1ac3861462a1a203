import { isSea } from 'node:sea';
import { Command, CommanderError } from 'commander';
import { SkepError, toSkepError, VERSION } from '../index.ts';
import { registerBackup } from './commands/backup.ts';
import { registerCheck } from './commands/check.ts';
import { registerCopy } from './commands/copy.ts';
import { registerExtract } from './commands/extract.ts';
import { registerForget } from './commands/forget.ts';
import { registerInit } from './commands/init.ts';
import { registerKeys } from './commands/keys.ts';
import { registerList } from './commands/list.ts';
import { registerPrune } from './commands/prune.ts';
import { registerRestore } from './commands/restore.ts';
import { registerShow } from './commands/show.ts';
import { registerUnlock } from './commands/unlock.ts';
import { registerVerify } from './commands/verify.ts';
import { reportError } from './render/report-error.ts';

/** Runs the command line of this process and ends it. */
export async function runCommandLine(): Promise<void> {
  // Whoever reads may have seen enough (`| head`): what the command does goes on.
  process.stdout.on('error', () => {});
  await run(process.argv);
  // A database driver may still try to reach a node that is gone; the command has ended all the same.
  process.exit();
}

/** Runs one command line; the exit code is set on the process. */
async function run(argv: readonly string[]): Promise<void> {
  const json = argv.includes('--json');
  try {
    await (await program(argv)).parseAsync(argv);
  } catch (e) {
    if (e instanceof CommanderError) {
      // Help and version end with 0; commander has printed its own message for the rest.
      process.exitCode = e.exitCode === 0 ? 0 : 2;
      if (e.exitCode !== 0 && json) reportError(new SkepError('usage', plain(e.message)), true);
      return;
    }
    const error = toSkepError(e);
    reportError(error, json);
    process.exitCode = error.exitCode;
  }
}

function plain(message: string): string {
  return message.replace(/^error: /, '').replace(/\.$/, '');
}

async function program(argv: readonly string[]): Promise<Command> {
  const p = new Command('skep')
    .description('Hot backups of a TheHive cluster that are one instant, and proven to come back.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(run `skep help` to see the commands)')
    .addHelpText(
      'after',
      `
Examples:
  skep check                          is the cluster fit for a backup?
  skep backup                         take one
  skep list                           what is there
  skep verify --level data            read every stored byte again
  skep restore latest --dry-run       what a restore would do
  skep forget --keep-daily 7          forget older backups; then \`skep prune\` frees their space

Exit codes: 0 ok, 1 failure, 2 usage or config, 3 incomplete, 4 damage found, 5 preflight refused, 10 no repository,
11 locked, 12 key or credentials, 13 no space, 14 clock, 15 version or topology mismatch, 130/143 signals.`,
    );
  const commands = [
    registerInit,
    registerKeys,
    registerCheck,
    registerBackup,
    registerList,
    registerShow,
    registerVerify,
    registerCopy,
    registerRestore,
    registerExtract,
    registerForget,
    registerPrune,
    registerUnlock,
  ];
  for (const register of commands) register(p);
  // The lab needs a good deal of its own; it is read only when it is asked for, and is no part of the executable.
  if (isSea()) return p;
  if (argv[2] === 'lab' || argv.includes('help') || argv.includes('--help')) {
    const { registerLab } = await import('../../lab/cli.ts');
    registerLab(p);
  }
  return p;
}

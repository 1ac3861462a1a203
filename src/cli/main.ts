import { keepCompiledCode } from '../compiled-code.ts';

keepCompiledCode();
const { run } = await import('./run.ts');

// Whoever reads may have seen enough (`| head`): what the command does goes on.
process.stdout.on('error', () => {});
await run(process.argv);
// A database driver may still try to reach a node that is gone; the command has ended all the same.
process.exit();

import { run } from './run.ts';

await run(process.argv);
// A database driver may still try to reach a node that is gone; the command has ended all the same.
process.exit();

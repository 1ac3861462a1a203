import { keepCompiledCode } from '../compiled-code.ts';

keepCompiledCode();
const { runCommandLine } = await import('./run.ts');
await runCommandLine();

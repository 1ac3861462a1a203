import { keepCompiledCode } from '../compiled-code.ts';

/** The agent: what runs on a node. */
keepCompiledCode();
const { runAgent } = await import('./run-agent.ts');
await runAgent();

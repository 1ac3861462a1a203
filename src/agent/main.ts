import { runAgent } from './run-agent.ts';

/** The agent: what runs on a node. */
await runAgent();

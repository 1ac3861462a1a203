// `make demo-hosts`: the demo on three hosts, each with its own network namespace, address, sshd, users and sudoers. skep is the
// single executable, run by an operator who is not root; what it needs on a host it copies there and runs by sudo as the
// users of the stores. Needs root. The machine itself is not changed: all of it is in namespaces that end with the demo.
import { runInside } from './hosts/run-inside.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
process.exitCode = await runInside('lab/demo.ts', [...process.argv.slice(2), '--hosts'], { signal: stop.signal });

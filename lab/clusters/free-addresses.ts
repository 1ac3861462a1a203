import { createServer } from 'node:net';
import { SkepError } from '../../src/errors.ts';
import type { LabLayout } from '../layout.ts';

/** Fails when something else already listens where the lab would: another lab with the same shift, most likely. */
export async function requireFreeAddresses(layout: LabLayout): Promise<void> {
  const taken = await takenAddresses(layout);
  if (taken.length === 0) return;
  throw new SkepError('preflight-failed', `addresses of the lab are in use: ${taken.join(', ')}`, {
    hint: 'Choose another `--shift`, or take the other lab down.',
    context: { taken },
  });
}

/** `host:port` of every address of the lab on which something listens. */
export async function takenAddresses(layout: LabLayout): Promise<string[]> {
  const { cql, storage, http, transport, gremlin, ssh } = layout.ports;
  const wanted = layout.nodes.flatMap((node) => [
    ...[cql, storage, http, transport, gremlin, ssh].map((port) => ({ host: node.address, port })),
    { host: '127.0.0.1', port: node.jmxPort },
  ]);
  const taken: string[] = [];
  for (const { host, port } of wanted) if (!(await canListen(host, port))) taken.push(`${host}:${port}`);
  return taken;
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

import { parseCluster } from '../../src/config/load.ts';
import { openAgent } from '../../src/remote/agent-client.ts';
import { serveRelay } from '../../src/repository/index.ts';
import { input, print } from './agent.ts';

/** One folder of a node stored through this process, over ssh, by an agent that does not reach the repository. */
const { config, location, folder, run } = input<{ config: string; location: string; folder: string; run: string }>();

const cluster = parseCluster(config, { file: 'bench' });
const agent = await openAgent(cluster.nodes[0]!, cluster, { relay: () => serveRelay({ location }) });
const since = performance.now();
const { listing, newBytes } = await agent.call('capture.tree', {
  target: { repository: { location, relayed: true }, run, writer: 'n1-files' },
  folder,
});
const seconds = (performance.now() - since) / 1000;
await agent.close();
print({ files: listing.files, newBytes, seconds });

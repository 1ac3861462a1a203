import type { Topology } from '../discovery/topology.ts';
import { checkSkew } from '../cut/clock.ts';
import type { Emit } from '../events.ts';
import { type Connections, measureClocks } from './connections.ts';

/** What must hold before anything is changed. */
export async function preflight(c: Connections, _topology: Topology, _o: { signal: AbortSignal; emit: Emit }) {
  checkSkew(await measureClocks(c.agents), c.cluster.cut.max_clock_skew);
}

import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import type { Space } from '../protocol/methods.ts';
import type { Store } from '../remote/become.ts';
import { isS3Location } from '../s3/location.ts';
import { agentOf } from './connections.ts';
import type { RestoreWork } from './restore-work.ts';

/** Part of a filesystem that must stay free. */
const RESERVE = 0.05;

/** Bytes that a restore lays out at a place of a node. */
export interface RoomNeed {
  node: string;
  store: Store;
  path: string;
  bytes: number;
}

/**
 * Error: `no-space` when a filesystem has no room for what is laid out on it. What is there now is set aside on the same
 * filesystem, so nothing is freed.
 */
export async function checkRoom(w: RestoreWork, live: Topology): Promise<void> {
  const { files, elasticsearch } = w.c.cluster;
  const sizeOf = (store: string, node?: string) =>
    w.parts
      .filter((p) => p.store === store && (node === undefined || p.node === node))
      .reduce((n, p) => n + p.bytes, 0);
  const needs: RoomNeed[] = [
    // SSTables are spread evenly over the data folders.
    ...live.nodes.flatMap((n) =>
      n.dataDirs.map((path) => ({
        node: n.name,
        store: 'cassandra' as const,
        path,
        bytes: Math.ceil(sizeOf('cassandra', n.name) / n.dataDirs.length),
      })),
    ),
    // A bucket does not tell its room.
    ...(isS3Location(files.location)
      ? []
      : [{ node: files.node, store: 'files' as const, path: files.location, bytes: sizeOf('files') }]),
    {
      node: elasticsearch.staging.node,
      store: 'elasticsearch',
      path: elasticsearch.staging.location,
      bytes: sizeOf('elasticsearch'),
    },
  ];
  for (const node of new Set(needs.map((n) => n.node))) {
    const own = needs.filter((n) => n.node === node);
    const space = await Promise.all(own.map((need) => spaceAt(w, need)));
    refuseWithoutRoom(own, space);
  }
}

async function spaceAt(w: RestoreWork, { node, store, path }: RoomNeed): Promise<Space> {
  const agent = agentOf(w.c.agents, node, store);
  const { space } = await agent.call('node.facts', { paths: [path] }, { signal: w.signal });
  return space[0] as Space;
}

/** Needs of one node, with the space at each; those on one filesystem are added up. */
export function refuseWithoutRoom(needs: readonly RoomNeed[], space: readonly Space[]): void {
  const devices = new Map<number, { need: RoomNeed; space: Space; bytes: number }>();
  for (const [i, need] of needs.entries()) {
    const at = space[i] as Space;
    const before = devices.get(at.device);
    devices.set(at.device, { need, space: at, bytes: need.bytes + (before?.bytes ?? 0) });
  }
  for (const { need, space: s, bytes } of devices.values()) {
    if (s.freeBytes - s.totalBytes * RESERVE >= bytes) continue;
    const { node } = need;
    throw new SkepError('no-space', `${s.path} on ${node} has ${s.freeBytes} bytes free, the restore needs ${bytes}`, {
      context: { node, path: s.path, free: s.freeBytes, needed: bytes },
    });
  }
}

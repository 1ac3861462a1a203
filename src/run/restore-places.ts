import { join } from 'node:path';
import { z } from 'zod';
import type { Topology, TopologyNode } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import { agentOf, type Connections } from './connections.ts';
import type { Journal } from './journal.ts';

/** A folder of a node, and where what was in it is kept for undo. */
const placeSchema = z.object({ folder: z.string(), undo: z.string() });
export type Place = z.output<typeof placeSchema>;

const nodePlacesSchema = z.object({
  data: z.array(placeSchema).min(1),
  commitlog: placeSchema,
  /** Hints and caches, where the node says that it has such folders. */
  others: z.array(placeSchema),
});
export type NodePlaces = z.output<typeof nodePlacesSchema>;

const placesSchema = z.record(z.string(), nodePlacesSchema);
export type Places = z.output<typeof placesSchema>;

const FACT = 'places';

/**
 * The folders that each live node uses *now*, which may be others than at the time of the backup, and where their
 * content can be set aside. Error: `config-invalid` when `restore.undo_folder` is on another filesystem.
 */
export async function findPlaces(c: Connections, live: Topology, run: string): Promise<Places> {
  const places: Places = {};
  for (const node of live.nodes) places[node.name] = await placesOfNode(c, node, run);
  return places;
}

async function placesOfNode(c: Connections, node: TopologyNode, run: string): Promise<NodePlaces> {
  const others = [
    ['hints', node.hintsDir],
    ['saved_caches', node.savedCachesDir],
  ].filter((o): o is [string, string] => o[1] !== '');
  const named: [string, string][] = [
    ...node.dataDirs.map((dir, i): [string, string] => [`data${i}`, dir]),
    ['commitlog', node.commitlogDir],
    ...others,
  ];
  const base = c.cluster.restore.undo_folder;
  const { undo } = await agentOf(c.agents, node.name, 'cassandra').call('restore.places', {
    folders: named.map(([, folder]) => folder),
    ...(base === undefined ? {} : { base }),
  });
  const all = named.map(([name, folder], i) => ({ folder, undo: join(undo[i] as string, run, node.name, name) }));
  const dirs = node.dataDirs.length;
  return { data: all.slice(0, dirs), commitlog: all[dirs] as Place, others: all.slice(dirs + 1) };
}

/** Kept in the journal: a stopped node cannot be asked. */
export async function notePlaces(journal: Journal, places: Places): Promise<void> {
  await journal.setFact(FACT, places);
}

export function placesOf(journal: Journal, node: string): NodePlaces {
  const parsed = placesSchema.safeParse(journal.fact(FACT));
  const places = parsed.success ? parsed.data[node] : undefined;
  if (!places) throw new SkepError('restore-failed', `the journal does not know the folders of ${node}`);
  return places;
}

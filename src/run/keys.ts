import type { ClusterConfig } from '../config/schema.ts';
import type { KeyGeneration } from '../repository/index.ts';
import { openOwnRepository } from './open-repository.ts';

export interface KeysReport {
  sealed: boolean;
  /** Oldest first; the last one counts. */
  generations: KeyGeneration[];
  /** Of the configuration. */
  configured: string[];
  /** Whether new contents are sealed to the recipients of the configuration. */
  agree: boolean;
}

/** Whom the repository seals to, and since when. */
export async function keys(cluster: ClusterConfig): Promise<KeysReport> {
  const repository = await openOwnRepository(cluster);
  const generations = await repository.keys();
  const configured = cluster.repository.sealing?.recipients ?? [];
  const sealedTo = generations.at(-1)?.recipients ?? [];
  const agree = [...configured].sort().join() === [...sealedTo].sort().join();
  return { sealed: repository.sealed, generations, configured, agree };
}

/** Seals what is new from now on to the recipients of the configuration; gives the new generation. */
export async function rotateKeys(cluster: ClusterConfig): Promise<number> {
  return (await openOwnRepository(cluster)).rotateKeys();
}

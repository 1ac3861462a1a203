import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  fileEntry,
  initRepository,
  type ListingEntry,
  type Manifest,
  type ManifestPart,
  newBackupId,
  type Repository,
} from '../../../../src/repository/index.ts';
import { clusterId } from '../../../../src/run/open-repository.ts';
import type { Details } from '../../../../src/run/details.ts';
import { minimalConfig } from '../../../unit/support/cluster.ts';
import { topologyOf } from '../../../unit/checks/topology-of.ts';

export const T = '1795400000000001';
const TABLE = { id: 'a'.repeat(32), name: 'edgestore' };
const topology = { ...topologyOf({ datacenters: ['dc1'] }), tables: [TABLE] };

/** What the engine keeps of a backup beside its files. */
export function details(): Details {
  const index = { uuid: 'u', settings: {}, mappings: {}, aliases: {}, seqNo: { '0': 9 } };
  return {
    skep: '0.1.0',
    topology,
    schema: {
      statements: [{ type: 'table', name: 'edgestore', cql: 'CREATE TABLE …' }],
      rows: { tables: [] },
      foreign: [],
      grants: [],
    },
    cut: {
      T,
      attempts: 1,
      lingerMs: 10_000,
      cold: false,
      clocks: [{ node: 'n1', offsetUs: 1500, errorUs: 100 }],
      snapshots: [{ node: 'n1', startedUs: 1, endedUs: 2 }],
      segments: [{ node: 'n1', ids: ['7', '8'], evidence: { read: 5, kept: 3, afterT: 2 } }],
      truncated: { n1: [] },
    },
    search: {
      version: '8.19.0',
      clusterUuid: 'c',
      indices: [{ name: 'thehive_global', docs: 12, ...index }],
      audits: [{ name: 'thehive-audits-000001', docs: 3, ...index }],
      templates: {},
      policies: {},
      snapshot: 'skep-x-1',
      startedMs: 1,
      endedMs: 2,
      shards: 1,
      seqNoBefore: { thehive_global: { '0': 9 } },
    },
    files: { pinned: 1, mismatched: [] },
  };
}

export interface Built {
  /** The configuration file. */
  config: string;
  repository: Repository;
  location: string;
  /** Publishes a backup of some files, by store and path. */
  backUp(stores: Record<string, Record<string, string>>): Promise<Manifest>;
}

/** A repository in a folder, made by the library for the cluster `prod`, and a configuration that names it. */
export async function buildRepository(folder: string): Promise<Built> {
  const location = join(folder, 'repository');
  await mkdir(folder, { recursive: true });
  const repository = await initRepository(location, { clusterName: 'prod', clusterId: clusterId(topology) });
  const config = await writeConfig(folder, { repository: location });
  let minutes = 0;
  return {
    config,
    repository,
    location,
    async backUp(stores) {
      const at = new Date(Date.UTC(2026, 10, 22, 22, minutes++));
      const id = newBackupId(at);
      const parts: ManifestPart[] = [];
      for (const [store, files] of Object.entries(stores)) {
        const writer = repository.objectWriter({ run: id, writer: store });
        const entries: ListingEntry[] = [];
        for (const path of Object.keys(files).sort()) {
          entries.push(fileEntry(path, await writer.putBytes(Buffer.from(files[path] as string))));
        }
        const listing = await repository.writeListing(entries, writer);
        await writer.close();
        parts.push({ node: 'n1', store, ...listing, newBytes: writer.totals.newBytes });
      }
      return repository.publish({
        id,
        startedAt: at.toISOString(),
        finishedAt: new Date(at.getTime() + 95_000).toISOString(),
        consistency: 'cut',
        cutMicros: T,
        parts,
        details: details(),
      });
    },
  };
}

/** Changes a manifest as who forges it does: with the right checksum, and its copy too. */
export async function forgeManifest(folder: string, from: string, to: string): Promise<void> {
  const file = join(folder, 'manifest.json');
  const body = (await readFile(file)).subarray(0, -78).toString().replace(from, to);
  const bytes = `${body},"sha256":"${createHash('sha256').update(body).digest('hex')}"}\n`;
  for (const name of ['manifest.json', 'manifest.copy.json']) {
    await rm(join(folder, name));
    await writeFile(join(folder, name), bytes);
  }
}

/** Writes a skep.yaml with one cluster. */
export async function writeConfig(folder: string, o: { repository: string; name?: string }): Promise<string> {
  const file = join(folder, `${o.name ?? 'skep'}.yaml`);
  await writeFile(file, stringify(minimalConfig(o)));
  return file;
}

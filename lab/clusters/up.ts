import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { exclusive } from '../ground/exclusive.ts';
import type { ElasticsearchVersion } from '../ground/elasticsearch-home.ts';
import { requireTools } from '../ground/tools.ts';
import { type CassandraVersion, type LabPlace, layoutOf } from '../layout.ts';
import { giveToAccounts } from '../hosts/give.ts';
import { Hosts } from '../hosts/hosts.ts';
import { writeSudoers } from '../hosts/sudoers.ts';
import { makeCertificates } from './certificates.ts';
import { describeLab, hasSsh } from './describe.ts';
import { requireFreeAddresses } from './free-addresses.ts';
import { Lab } from './lab.ts';
import { writeRecord } from './record.ts';
import { claimFolder, removeLab } from './remove.ts';
import { makeSecrets } from './secrets.ts';
import { startAll } from './start-all.ts';
import { skepYaml } from './skep-yaml.ts';
import { makeSsh } from './ssh-keys.ts';
import { startWatchdog } from './watch.ts';
import { ensurePrograms, type Parts, writeNodes } from './write-nodes.ts';

/** What kind of lab to boot. */
export interface LabOptions extends LabPlace {
  cassandra?: CassandraVersion | undefined;
  elasticsearch?: ElasticsearchVersion | undefined;
  /** Overrides of any key of cassandra.yaml, on every node. */
  cassandraYaml?: Record<string, unknown> | undefined;
  /** The lab goes down when this process ends; without it the lab lives until `down`. */
  owner?: number | undefined;
  /** Told what is done or waited for, a line at a time. */
  onProgress?: ((line: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Boots a lab and returns when all its servers are ready. What a former lab left in the same folder is removed first. */
export async function labUp(options: LabOptions = {}): Promise<Lab> {
  return exclusive(`up ${layoutOf(options).root}`, () => prepare(options), options.signal);
}

async function prepare(options: LabOptions): Promise<Lab> {
  const { signal } = options;
  const say = options.onProgress ?? ((): void => {});
  const layout = layoutOf(options);
  const versions = {
    cassandra: options.cassandra ?? '4.1.10',
    elasticsearch: options.elasticsearch ?? '8.19.0',
  } as const;
  const tools = await requireTools();
  say('programs: looking in the cache, fetching what is absent');
  const jars = await ensurePrograms(versions, signal);
  if (await removeLab(layout.root)) say('removed what a former lab left');
  await requireFreeAddresses(layout);
  signal?.throwIfAborted();

  const labId = randomUUID();
  await claimFolder(layout.root, labId);
  try {
    if (options.owner !== undefined) await startWatchdog(layout.root, options.owner);
    say(options.hosts === undefined ? 'nodes: on this machine' : 'nodes: each in its own network namespace');
    const hosts = options.hosts && { hosts: await Hosts.up(layout, labId), ...options.hosts };
    const ground = { layout, labId, versions, cassandraYaml: options.cassandraYaml ?? {}, tools, jars };
    return await boot(ground, hosts, say, signal);
  } catch (e) {
    // the logs of a lab that failed to boot go with it: the error carries the last lines
    await removeLab(layout.root);
    throw e;
  }
}

async function boot(
  ground: Omit<Parts, 'secrets' | 'certificates' | 'hosts'>,
  hosts: { hosts: Hosts; executable: string } | undefined,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Lab> {
  const { layout, labId, versions, tools } = ground;
  const [secrets, certificates] = await Promise.all([
    makeSecrets(layout),
    makeCertificates(layout, tools),
    hasSsh(layout) ? makeSsh(layout, labId, tools, hosts && 'operator') : undefined,
  ]);
  await writeNodes({ ...ground, secrets, certificates, hosts: hosts?.hosts });
  const record = describeLab(layout, labId, versions, secrets, certificates, hosts);
  await mkdir(record.repository, { recursive: true });
  await writeFile(record.config, skepYaml(record));
  if (hosts !== undefined) {
    await writeSudoers(hosts.hosts, record);
    await giveToAccounts(layout, { repository: record.repository, certificates });
  }

  const lab = new Lab(record);
  await startAll(lab, secrets, say, signal);
  await writeRecord(record);
  say(`lab ${layout.name} is up`);
  return lab;
}

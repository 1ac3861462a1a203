import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCluster } from '../../../src/config/load.ts';
import type { ClusterConfig } from '../../../src/config/schema.ts';
import { planInit } from '../../../src/run/init-plan.ts';
import { makeRepository } from '../../../src/run/open-repository.ts';
import { stringify } from 'yaml';
import { topologyOf } from '../checks/topology-of.ts';
import { minimalConfig } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

const topology = topologyOf({ datacenters: ['dc1'] });
const RECIPIENT = `age1${'q'.repeat(58)}`;

function clusterWith(more: object): ClusterConfig {
  const config = minimalConfig();
  Object.assign(config.clusters['prod'] as object, more);
  return parseCluster(stringify(config), { file: 'skep.yaml' });
}

test('where there is nothing the plan says what would be made, and makes nothing', async () => {
  const folder = await temporaryFolder();
  const steps = await planInit(clusterWith({ repository: join(folder, 'repository') }), topology);
  expect(steps.every((s) => s.changes)).toBe(true);
  expect(steps.map((s) => s.text).join('\n')).toMatch(
    /whether the storage keeps[\s\S]*for prod \(.*not sealed[\s\S]*ballast of 64000000 bytes/,
  );
  expect(await readdir(folder)).toEqual([]);
});

test('of a sealed one it names the file of the naming key only where that is absent', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'keys', 'naming');
  const sealing = { recipients: [RECIPIENT], naming_key: { file } };
  const cluster = clusterWith({ repository: { location: join(folder, 'repository'), sealing } });
  const [first] = await planInit(cluster, topology);
  expect(first?.text).toBe(`write a new naming key to ${file}`);
  await mkdir(join(folder, 'keys'));
  await writeFile(file, `${'a'.repeat(64)}\n`);
  const texts = (await planInit(cluster, topology)).map((s) => s.text);
  expect(texts.join('\n')).not.toContain('naming key');
  expect(texts.join('\n')).toContain(`sealed to ${RECIPIENT}`);
});

test('where the repository is there already there is nothing to do; another cluster’s is refused', async () => {
  const folder = await temporaryFolder();
  const cluster = clusterWith({ repository: join(folder, 'repository') });
  await makeRepository(cluster, topology);
  expect(await planInit(cluster, topology)).toMatchObject([
    { changes: false, text: expect.stringContaining('already') },
  ]);
  const other = { ...topology, nodes: topology.nodes.map((n) => ({ ...n, hostId: `other ${n.hostId}` })) };
  await expect(planInit(cluster, other)).rejects.toMatchObject({ code: 'repository-foreign' });
});

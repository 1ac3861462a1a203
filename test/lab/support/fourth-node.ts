import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { runTool } from '../../../lab/ground/run-tool.ts';
import type { Lab } from '../../../lab/index.ts';
import { LabService } from '../../../lab/services/service.ts';
import { readSpec, writeSpec } from '../../../lab/services/spec.ts';

const JOINS_MS = 120_000;

/** A fourth Cassandra beside the three of a lab, which skep.yaml does not name. It goes down with the lab. */
export interface FourthNode {
  address: string;
  cassandra: LabService;
  nodetool(...args: string[]): Promise<string>;
}

/** Starts it as a copy of n3 with tokens of its own; it gossips, but owns nothing until `nodetool join`. */
export async function startFourthNode(lab: Lab): Promise<FourthNode> {
  const { record } = lab.node('n3');
  const address = record.address.replace(/\d+$/, '4');
  const jmxPort = record.cassandra.jmxPort + 1;
  const root = path.join(lab.root, 'n4');
  const rename = (text: string) =>
    text
      .replaceAll(`${record.root}/`, `${root}/`)
      .replaceAll('n3-cassandra', 'n4-cassandra')
      .replaceAll(new RegExp(`\\b${record.cassandra.jmxPort}\\b(?!/)`, 'g'), String(jmxPort))
      .replaceAll(record.address, address);
  const home = path.join(root, 'cassandra');
  for (const folder of ['conf', 'bin']) {
    await cp(path.join(record.cassandra.home, folder), path.join(home, folder), { recursive: true });
  }
  for (const folder of ['data', 'commitlog', 'hints', 'saved_caches', 'cdc_raw', 'logs', 'tmp']) {
    await mkdir(path.join(home, folder), { recursive: true });
  }
  for (const file of ['conf/cassandra.yaml', 'conf/logback.xml', 'conf/logback-tools.xml', 'bin/nodetool']) {
    const at = path.join(home, file);
    await writeFile(at, rename(await readFile(at, 'utf8')));
  }
  const yaml = path.join(home, 'conf', 'cassandra.yaml');
  const settings = parse(await readFile(yaml, 'utf8')) as { initial_token: string };
  // A little further on: no two nodes may have the same.
  const tokens = settings.initial_token.split(',').map((token) => BigInt(token) + 1_000_000_007n);
  await writeFile(yaml, stringify({ ...settings, initial_token: tokens.join(',') }));
  const spec = await readSpec(lab.root, 'n3-cassandra');
  const own = JSON.parse(rename(JSON.stringify(spec))) as typeof spec;
  const argv = own.argv.toSpliced(-1, 0, '-Dcassandra.join_ring=false');
  await writeSpec(lab.root, { ...own, argv, ready: { kind: 'tcp', host: '127.0.0.1', port: jmxPort } });
  const cassandra = new LabService(lab.root, 'n4-cassandra');
  await cassandra.start();
  const log = path.join(home, 'logs', 'system.log');
  for (const end = Date.now() + JOINS_MS; !/Not joining ring as requested/.test(await readFile(log, 'utf8'));) {
    if (Date.now() > end) throw new Error(`the fourth node does not come up: ${await cassandra.logEnd()}`);
    await delay(100);
  }
  const { user, passwordFile } = lab.record.jmx;
  const nodetool = [path.join(home, 'bin', 'nodetool'), '-u', user, '-pwf', passwordFile] as const;
  return { address, cassandra, nodetool: (...args) => runTool([...nodetool, ...args]) };
}

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lab } from '../../lab/index.ts';
import { GremlinClient } from '../../lab/load/gremlin-client.ts';
import { isProven } from '../../lab/proof/report.ts';
import { configWithSlowReturn } from '../../lab/scenarios/disturbance.ts';
import { mustSkep } from '../../lab/scenarios/skep-process.ts';
import { type Backup, STEADY_RATE, Trial } from '../../lab/scenarios/trial.ts';
import { commandsOf, withValues } from './support/by-hand/instructions.ts';
import { makeOperator, type Operator } from './support/by-hand/operator.ts';
import { configVariant } from './support/config-variant.ts';
import { sharedLab } from './support/labs.ts';

let lab: Lab;
let trial: Trial;
let backup: Backup;
let repository: string;
let identity: string;

beforeAll(async () => {
  lab = await sharedLab();
  repository = path.join(lab.record.repository, 'sealed');
  identity = path.join(lab.root, 'identity');
  const secret = await generateX25519Identity();
  await writeFile(identity, `${secret}\n`, { mode: 0o600 });
  // Seconds lie between the snapshots and T, so that much of the backup is in the commit logs alone.
  const nodetool = await configWithSlowReturn(lab, 4);
  const sealing = {
    recipients: [await identityToRecipient(secret)],
    naming_key: { file: path.join(lab.root, 'naming-key') },
  };
  const config = await configVariant(lab, 'sealed', [[['repository'], { location: repository, sealing }]], nodetool);
  trial = new Trial(lab, { seed: 'by hand', say: () => {}, config });
  await mustSkep(['init'], { config, state: trial.state });
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(60);
  backup = await trial.backup();
  await trial.awaitTransactions(20);
  await trial.stopLoad();
});

afterAll(async () => {
  await trial.stopLoad();
});

test('after a total loss the cluster comes back from a sealed repository by the commands of its RESTORE.md alone', async () => {
  await lab.destroy();
  const operator = await makeOperator(lab);
  expect(await operator.run('command -v skep || command -v node || echo neither')).toBe('neither');
  const page = await readFile(path.join(repository, 'backups', backup.id, 'RESTORE.md'), 'utf8');
  const commands = commandsOf(page);

  const look = withValues(commands('Look').join('\n'), { repository, identity });
  expect(await operator.run(look)).toContain('is whole');
  // What a shell that is opened later, or on another node, must know.
  const here = look.replaceAll(/^(?!\w+=|restore\(\)).*$/gm, '');
  await restoreCassandra(operator, here, page);
  await restoreRest(operator, here, page);

  await lab.janusgraph.start();
  const gremlin = new GremlinClient(lab.gremlinUrl);
  const console = (commands('TheHive').at(-1) as string).split('\n');
  for (const line of console) await gremlin.submit(`graph.tx().rollback(); ${line}; 'done'`, {});
  gremlin.close();

  const { report, findings } = await trial.prove(backup.T);
  expect(findings).toEqual(Object.fromEntries(Object.keys(findings).map((k) => [k, []])));
  expect(isProven(report)).toBe(true);
});

/** The sections about Cassandra, with what they say in words done as they say it. */
async function restoreCassandra(operator: Operator, here: string, page: string): Promise<void> {
  const commands = commandsOf(page);
  const onEach = (text: (n: (typeof lab.nodes)[number]) => string) =>
    lab.nodes.reduce<Promise<unknown>>((before, n) => before.then(() => operator.run(text(n))), Promise.resolve());
  for (const words of ['nodetool replaybatchlog', 'nodetool drain', 'nodetool repair --full "$keyspace"']) {
    expect(page).toContain(`\`${words}\``);
  }
  await onEach((n) => `node=${n.name}; export node; nodetool replaybatchlog`);
  await operator.run(`${here}\n${commands('Schema, on one node').join('\n')}`);
  await onEach((n) => `node=${n.name}; export node; nodetool drain`);
  await Promise.all(lab.nodes.map((n) => n.cassandra.stop()));
  await onEach((n) => {
    const { data, commitlog, hints, savedCaches } = n.record.cassandra;
    const likewise = [hints, savedCaches].map((f) => `mv '${f}' '${f}.aside' && mkdir '${f}'`);
    const blocks = commands("Cassandra's files");
    const nodes = blocks.find((b) => b.startsWith('node=')) as string;
    expect(nodes.split('\n')).toContain(`node=${n.name}`);
    const text = blocks.map((b) => (b === nodes ? `node=${n.name}` : b)).join('\n');
    return [here, ...likewise, withValues(text, { data, commitlog })].join('\n');
  });
  await Promise.all(lab.nodes.map((n) => n.cassandra.start()));
  await onEach((n) => `${here}\nnode=${n.name}; export node; nodetool repair --full "$keyspace"`);
  await operator.run(`${here}\n${commands('Repair').join('\n')}`);
}

async function restoreRest(operator: Operator, here: string, page: string): Promise<void> {
  const commands = commandsOf(page);
  const { elasticsearch, files } = lab.record;
  await operator.run(`${here}\n${withValues(commands('Attachments').join('\n'), { files: files.location })}`);
  const url = elasticsearch.urls[0] as string;
  const snapshots = path.join(elasticsearch.staging, 'skep-by-hand');
  const search = withValues(commands('Elasticsearch').join('\n'), { url, snapshots });
  const said = await operator.run(`${here}\n${search}\n${commands('Audit entries after T').join('\n')}`);
  expect(said).toContain('"failed":0');
  expect(said).toContain('"count":0');
  expect(said).not.toContain('"acknowledged":false');
  const tools = search.split('\n').filter((line) => /^(url=|es\(\))/.test(line));
  await operator.run(`${here}\n${tools.join('\n')}\n${commands('Tidy').join('\n')}`);
}

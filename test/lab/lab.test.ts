import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from '@elastic/elasticsearch';
import { beforeAll, describe, expect, it } from 'vitest';
import { connectAs, withCql } from '../../lab/clusters/cql.ts';
import { withElasticsearch } from '../../lab/clusters/elastic.ts';
import { runTool } from '../../lab/ground/run-tool.ts';
import type { Lab, LabNode } from '../../lab/index.ts';
import { identify } from '../../lab/services/process-identity.ts';
import { GremlinClient } from '../../lab/load/gremlin-client.ts';
import { sharedLab } from './support/labs.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await sharedLab();
});

function ssh(node: LabNode, ...command: string[]): Promise<string> {
  return runTool(['ssh', '-F', lab.record.ssh?.config ?? '', node.name, ...command]);
}

describe('cassandra of the lab', () => {
  it('is one ring of three racks that all replicate the keyspace', async () => {
    const status = await lab.node('n1').nodetool('status', lab.record.thehive.keyspace);
    const up = status.split('\n').filter((line) => line.startsWith('UN '));
    expect(up.map((line) => line.split(/\s+/).at(-1)).sort()).toEqual(['rack1', 'rack2', 'rack3']);
    expect(up.every((line) => line.includes('100.0%'))).toBe(true);
  });

  it('has one schema version and the tables of JanusGraph', async () => {
    const described = await lab.node('n2').nodetool('describecluster');
    expect(described.match(/^\s+[0-9a-f-]{36}: \[/gm)).toHaveLength(1);
    const tables = await withCql(lab.record, async (cql) => {
      const found = await cql.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'thehive'");
      return found.rows.map((row) => String(row['table_name']));
    });
    expect(tables).toContain('edgestore');
    expect(tables).toContain('graphindex');
  });

  it('refuses the well-known account and a wrong password', async () => {
    await expect(connectAs(lab.record, 'cassandra', 'cassandra')).rejects.toThrow();
    await expect(connectAs(lab.record, lab.record.cql.user, 'wrong')).rejects.toThrow();
  });

  it('refuses JMX without its password', async () => {
    await expect(runTool([...lab.node('n1').record.cassandra.nodetool, 'info'])).rejects.toThrow(
      /Credentials required/,
    );
  });
});

describe('elasticsearch of the lab', () => {
  it('is one green cluster of three with a repository that every node can reach', async () => {
    await withElasticsearch(lab.record, async (client) => {
      expect(await client.cluster.health()).toMatchObject({ status: 'green', number_of_nodes: 3 });
      const location = path.join(lab.record.elasticsearch.staging, 'trial');
      await client.snapshot.createRepository({ name: 'trial', repository: { type: 'fs', settings: { location } } });
      const verified = await client.snapshot.verifyRepository({ name: 'trial' });
      expect(Object.keys(verified.nodes)).toHaveLength(3);
      await client.snapshot.deleteRepository({ name: 'trial' });
    });
  });

  it('answers nobody without a password', async () => {
    const { urls, caFile } = lab.record.elasticsearch;
    const stranger = new Client({ nodes: urls, tls: { ca: await readFile(caFile as string) } });
    await expect(stranger.info()).rejects.toMatchObject({ statusCode: 401 });
    await stranger.close();
  });
});

describe('janusgraph of the lab', () => {
  it('keeps a vertex in cassandra', async () => {
    const gremlin = new GremlinClient(lab.gremlinUrl);
    try {
      await gremlin.submit("g.addV('Case').property('title', 'seen').iterate(); g.tx().commit(); 'ok'", {});
      expect(await gremlin.submit("g.V().has('title', 'seen').count().next() as String", {})).toEqual(['1']);
    } finally {
      gremlin.close();
    }
    const rows = await withCql(lab.record, (cql) => cql.execute('SELECT count(*) FROM thehive.edgestore'));
    expect(Number(rows.rows[0]?.['count'])).toBeGreaterThan(0);
  });
});

describe('the nodes of the lab', () => {
  it('are reached by ssh with the key of the lab, each by its own address', async () => {
    const addresses = await Promise.all(lab.nodes.map((node) => ssh(node, 'echo $SSH_CONNECTION')));
    expect(addresses.map((line) => line.split(' ')[2])).toEqual(lab.nodes.map((n) => n.record.address));
  });

  it('have their services stopped and started by command, and a stop means that the process is gone', async () => {
    const node = lab.node('n3');
    const control = node.record.cassandra.control;
    const before = (await node.cassandra.pid()) as number;
    await ssh(node, control, 'stop');
    expect(await node.cassandra.state()).toBe('stopped');
    expect(await identify(before)).toBeUndefined();
    await expect(ssh(node, control, 'status')).rejects.toMatchObject({ context: { exitCode: 3 } });
    await ssh(node, control, 'start');
    expect(await ssh(node, control, 'status')).toContain('ready');
    expect(await node.cassandra.pid()).not.toBe(before);
  });

  it('come back after they were killed', async () => {
    const { elasticsearch } = lab.node('n2');
    await elasticsearch.kill9();
    expect(await elasticsearch.state()).toBe('stopped');
    await elasticsearch.start();
    expect(await elasticsearch.state()).toBe('ready');
  });
});

describe('a lab that loses everything', () => {
  it('is up and empty, and still knows its accounts', async () => {
    await writeFile(path.join(lab.record.files.attachments, 'a'.repeat(64)), 'evidence');
    await withElasticsearch(lab.record, (client) => client.index({ index: 'thehive_global', document: { n: 1 } }));
    await lab.destroy();
    expect(await lab.janusgraph.state()).toBe('stopped');
    expect(await readdir(lab.record.files.attachments)).toEqual([]);
    for (const node of lab.nodes) {
      expect(await node.cassandra.state()).toBe('ready');
      expect(await readdir(node.record.cassandra.data)).not.toContain('thehive');
    }
    const left = await withCql(lab.record, (cql) => cql.execute('SELECT keyspace_name FROM system_schema.keyspaces'));
    expect(left.rows.map((row) => row['keyspace_name'])).not.toContain('thehive');
    await withElasticsearch(lab.record, async (client) => {
      expect(await client.indices.exists({ index: 'thehive_global' })).toBe(false);
    });
  });
});

import { describe, expect, test } from 'vitest';
import { discover, parseList, parseMillis } from '../../../src/discovery/discover.ts';
import type { Cql } from '../../../src/drivers/cassandra/cql.ts';
import { localCluster } from '../support/cluster.ts';

type Row = Record<string, unknown>;

const LOCAL = {
  cluster_name: 'Hive',
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  host_id: 'h1',
  data_center: 'dc1',
  rack: 'r1',
  tokens: ['-5', '7'],
  release_version: '4.1.10',
  schema_version: 's1',
  gossip_generation: 99,
};
const SETTINGS: Record<string, string | null> = {
  data_file_directories: '[/data1, /data2]',
  commitlog_directory: '/commitlog',
  hints_directory: '/hints',
  saved_caches_directory: '/caches',
  commitlog_sync: 'periodic',
  commitlog_sync_period: '10000ms',
  transparent_data_encryption_options: 'TransparentDataEncryptionOptions{enabled=false}',
};

/** A node that answers what discovery asks. */
function node(o: { local?: Row | undefined; settings?: Record<string, string | null>; keyspaces?: Row[] } = {}): Cql {
  const answers: [RegExp, Row[]][] = [
    [/FROM system\.local/, 'local' in o ? (o.local ? [o.local] : []) : [LOCAL]],
    [/peers_v2/, [{ host_id: 'h3' }, { host_id: 'h2' }]],
    [/settings/, Object.entries({ ...SETTINGS, ...o.settings }).map(([name, value]) => ({ name, value }))],
    [/system_schema\.keyspaces/, o.keyspaces ?? [{ replication: { class: 'NetworkTopologyStrategy', dc1: '3' } }]],
    [
      /system_schema\.tables/,
      [
        { table_name: 'b', id: '0-0-2' },
        { table_name: 'a', id: '0-0-1' },
      ],
    ],
  ];
  return {
    address: '10.0.0.1',
    query: async (cql) => answers.find(([what]) => what.test(cql))?.[1] ?? [],
    close: async () => {},
  };
}

const { cluster } = localCluster();
const ask = (o?: Parameters<typeof node>[0]) => discover(cluster, new Map([['n1', node(o)]]));

describe('discovery', () => {
  test('tells what a node says of itself, with tables by id', async () => {
    expect(await ask()).toEqual({
      clusterName: 'Hive',
      partitioner: LOCAL.partitioner,
      keyspace: 'thehive',
      replication: { class: 'NetworkTopologyStrategy', dc1: '3' },
      tables: [
        { id: '001', name: 'a' },
        { id: '002', name: 'b' },
      ],
      nodes: [
        {
          name: 'n1',
          address: '10.0.0.1',
          hostId: 'h1',
          datacenter: 'dc1',
          rack: 'r1',
          tokens: ['-5', '7'],
          version: '4.1.10',
          gossipGeneration: 99,
          schemaVersion: 's1',
          peers: ['h2', 'h3'],
          dataDirs: ['/data1', '/data2'],
          commitlogDir: '/commitlog',
          hintsDir: '/hints',
          savedCachesDir: '/caches',
          commitlogSync: 'periodic',
          commitlogSyncMs: 10_000,
          commitlogEncrypted: false,
        },
      ],
    });
  });

  test('tells an encrypted commit log, one that is synced with every batch, and a keyspace that is not there', async () => {
    const settings = {
      transparent_data_encryption_options: 'enabled=true',
      commitlog_sync: 'batch',
      commitlog_sync_period: null,
    };
    const t = await ask({ settings, keyspaces: [] });
    expect(t.replication).toEqual({});
    expect(t.nodes[0]).toMatchObject({ commitlogEncrypted: true, commitlogSync: 'batch', commitlogSyncMs: 0 });
  });

  test('refuses a node that does not tell its folders or nothing at all, and a cluster without nodes', async () => {
    await expect(ask({ settings: { commitlog_directory: null } })).rejects.toMatchObject({
      code: 'version-unsupported',
      exitCode: 15,
    });
    await expect(ask({ local: undefined })).rejects.toMatchObject({ code: 'cql-failed' });
    await expect(discover(cluster, new Map())).rejects.toMatchObject({ code: 'topology-mismatch' });
  });
});

describe('settings', () => {
  test('of several folders are lists in either form', () => {
    expect(parseList('[/a, /b c]')).toEqual(['/a', '/b c']);
    expect(parseList('/a')).toEqual(['/a']);
    expect(parseList('[]')).toEqual([]);
  });

  test('of time have a unit or are milliseconds; what cannot be read is taken as the default, never as nothing', () => {
    expect(['10000ms', '10s', '2m', '250', '1h', 'soon', ''].map(parseMillis)).toEqual([
      10_000, 10_000, 120_000, 250, 3_600_000, 10_000, 10_000,
    ]);
  });
});

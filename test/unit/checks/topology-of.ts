import type { Topology } from '../../../src/discovery/topology.ts';

/** A topology with one node for each datacenter that is named. */
export function topologyOf(o: { replication?: Record<string, string>; datacenters: string[] }): Topology {
  return {
    clusterName: 'test',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    keyspace: 'thehive',
    replication: o.replication ?? {},
    tables: [],
    nodes: o.datacenters.map((datacenter, i) => ({
      name: `n${i + 1}`,
      address: `10.0.0.${i + 1}`,
      hostId: `${i + 1}`.repeat(8),
      datacenter,
      rack: 'rack1',
      tokens: [],
      version: '4.1.10',
      gossipGeneration: 1,
      schemaVersion: 'v',
      peers: [],
      dataDirs: ['/data'],
      commitlogDir: '/commitlog',
      hintsDir: '/hints',
      savedCachesDir: '/caches',
      commitlogSync: 'periodic',
      commitlogSyncMs: 10_000,
      commitlogEncrypted: false,
    })),
  };
}

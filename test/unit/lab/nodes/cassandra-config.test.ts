import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { layoutOf, type NodeLayout } from '../../../../lab/layout.ts';
import { cassandraYaml, nodetoolScript, tokensOf } from '../../../../lab/nodes/cassandra-config.ts';

const layout = layoutOf({ root: '/labs/a' });
const node = layout.nodes[1] as NodeLayout;

describe('tokensOf', () => {
  const all = [1, 2, 3].flatMap((n) => tokensOf(n, 3));

  it('gives every node sixteen tokens, all different and inside the ring', () => {
    expect(tokensOf(1, 3)).toHaveLength(16);
    expect(new Set(all).size).toBe(48);
    expect(all.every((t) => t > -(2n ** 63n) && t < 2n ** 63n)).toBe(true);
  });

  it('interleaves the nodes, so that neighbours on the ring are different nodes', () => {
    const owner = new Map([1, 2, 3].flatMap((n) => tokensOf(n, 3).map((t) => [t, n] as const)));
    const ring = [...owner.keys()].sort((a, b) => (a < b ? -1 : 1)).map((t) => owner.get(t));
    expect(ring.slice(0, 6)).toEqual([1, 2, 3, 1, 2, 3]);
  });
});

describe('cassandraYaml', () => {
  it('binds a node to its own address and folders', () => {
    const yaml = parse(cassandraYaml(layout, node)) as Record<string, unknown>;
    expect(yaml).toMatchObject({
      listen_address: '127.0.10.2',
      rpc_address: '127.0.10.2',
      data_file_directories: ['/labs/a/n2/cassandra/data'],
      commitlog_directory: '/labs/a/n2/cassandra/commitlog',
      authenticator: 'PasswordAuthenticator',
    });
  });

  it('lets a caller override any key', () => {
    const extra = { commitlog_compression: [{ class_name: 'LZ4Compressor' }], num_tokens: 4 };
    expect(parse(cassandraYaml(layout, node, extra))).toMatchObject(extra);
  });
});

describe('nodetoolScript', () => {
  it('knows host and port, and no password', () => {
    const script = nodetoolScript(node, '/usr/bin/java', '/cache/jars');
    expect(script).toContain("'-h' '127.0.0.1' '-p' '7200' \"$@\"");
    expect(script).not.toContain('-pw');
  });
});

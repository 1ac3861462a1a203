import { pbkdf2Sync } from 'node:crypto';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { layoutOf, type NodeLayout } from '../../../../lab/layout.ts';
import { elasticsearchSpec, elasticsearchYaml, fileRealmUser } from '../../../../lab/nodes/elasticsearch-config.ts';

const layout = layoutOf({ root: '/labs/a', shift: 2 });
const node = layout.nodes[0] as NodeLayout;
const from = { java: 'java', assembled: '/cache/es', caFile: '/labs/a/certificates/ca.crt' };

it('writes a TLS cluster of three with one shared path.repo for 8.19.0', () => {
  expect(parse(elasticsearchYaml(layout, node, '8.19.0'))).toMatchObject({
    'network.host': '127.0.12.1',
    'http.port': 9220,
    'path.repo': ['/labs/a/shared/es-staging'],
    'xpack.security.http.ssl.enabled': true,
    'discovery.seed_hosts': ['127.0.12.1:9320', '127.0.12.2:9320', '127.0.12.3:9320'],
  });
  expect(elasticsearchSpec(layout, node, '8.19.0', from, {}).ready).toEqual({
    kind: 'http',
    url: 'https://127.0.12.1:9220/',
    caFile: '/labs/a/certificates/ca.crt',
  });
});

it('writes plain HTTP without security for 7.17.29', () => {
  expect(Object.keys(parse(elasticsearchYaml(layout, node, '7.17.29'))).filter((k) => k.includes('xpack'))).toEqual([]);
  expect(elasticsearchSpec(layout, node, '7.17.29', from, {}).ready).toEqual({
    kind: 'http',
    url: 'http://127.0.12.1:9220/',
  });
});

it('writes a user of the file realm whose key is derived from the password and the salt', () => {
  const salt = Buffer.alloc(32, 7);
  const [, rounds, saltText, key] =
    /^lab:\{PBKDF2\}(\d+)\$([^$]+)\$([^$]+)\n$/.exec(fileRealmUser('lab', 'secret', salt)) ?? [];
  expect(Buffer.from(saltText ?? '', 'base64')).toEqual(salt);
  expect(key).toBe(pbkdf2Sync('secret', salt, Number(rounds), 32, 'sha512').toString('base64'));
});

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeLab } from '../../../../lab/clusters/describe.ts';
import { labRecord } from '../../../../lab/clusters/record.ts';
import type { Secrets } from '../../../../lab/clusters/secrets.ts';
import { skepYaml } from '../../../../lab/clusters/skep-yaml.ts';
import { layoutOf } from '../../../../lab/layout.ts';
import { configSchema } from '../../../../src/config/schema.ts';

const login = (user: string) => ({ user, password: 'never written', passwordFile: `/labs/a/secrets/${user}` });
const secrets: Secrets = {
  cql: login('skep_lab'),
  graphCql: login('thehive'),
  elasticsearch: login('skep-lab'),
  graphElasticsearch: login('thehive'),
  jmx: login('skep-lab'),
  jmxAccessFile: '/labs/a/secrets/jmx.access',
};

const at = (name: string): string => `/labs/a/certificates/${name}`;
const certificates = {
  caFile: at('ca.crt'),
  certificate: at('node.crt'),
  key: at('node.key'),
  trustStore: at('truststore.p12'),
  trustStorePassword: 'changeit',
  keyStore: at('keystore.p12'),
};

describe.each(['8.19.0', '7.17.29'] as const)('a lab with elasticsearch %s', (elasticsearch) => {
  const layout = layoutOf({ root: '/labs/a', name: 'trial' });
  const record = describeLab(layout, 'id', { cassandra: '4.1.10', elasticsearch }, secrets, certificates);

  it('has a skep.yaml that the configuration accepts', () => {
    const config = configSchema.parse(parse(skepYaml(record)));
    expect(Object.keys(config.clusters)).toEqual(['trial']);
    const cluster = config.clusters['trial'];
    expect(cluster?.nodes.filter((n) => n.thehive).map((n) => n.name)).toEqual(['n1']);
    expect(cluster?.elasticsearch.user).toBe(elasticsearch === '8.19.0' ? 'skep-lab' : undefined);
  });

  it('has skep keep what it must remember below the folder of the lab', () => {
    expect(configSchema.parse(parse(skepYaml(record))).clusters['trial']?.state_folder).toBe('/labs/a/skep-state');
  });

  it('needs no ssh when it is one machine, and TLS for JMX', () => {
    const alone = layoutOf({ root: '/labs/a', name: 'trial', nodes: 1 });
    const versions = { cassandra: '4.1.10', elasticsearch } as const;
    const config = skepYaml(describeLab(alone, 'id', versions, secrets, certificates));
    expect(configSchema.parse(parse(config)).clusters['trial']?.nodes).toMatchObject([
      { name: 'n1', transport: 'local', cassandra: '127.0.0.1', elasticsearch: true, thehive: true },
    ]);
    expect(config).not.toContain('ssh');
    expect(parse(config).clusters.trial.cassandra.nodetool).toEqual([
      'env',
      'HOME=/labs/a/{node}/cassandra',
      '/labs/a/{node}/cassandra/bin/nodetool',
      '--ssl',
    ]);
  });

  it('writes no password into its record or its configuration', () => {
    expect(labRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
    expect(JSON.stringify(record) + skepYaml(record)).not.toContain('never written');
  });
});

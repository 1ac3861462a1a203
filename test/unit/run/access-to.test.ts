import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseCluster } from '../../../src/config/load.ts';
import { repositoryAccess } from '../../../src/repository/index.ts';
import { accessTo } from '../../../src/run/access-to.ts';
import { minimalConfig } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

const PEM = rootCertificates[0] as string;

async function accessOf(repository: unknown, env: NodeJS.ProcessEnv = {}) {
  const config = minimalConfig();
  Object.assign(config.clusters.prod as object, { repository });
  const access = await accessTo(parseCluster(stringify(config), { file: 'skep.yaml' }), env);
  return repositoryAccess.parse(access);
}

describe('how a repository is reached', () => {
  test('of a path is the path', async () => {
    expect(await accessOf('/backups')).toEqual({ location: '/backups' });
    expect(await accessOf({ location: '/backups' })).toEqual({ location: '/backups' });
  });

  test('of an object storage has the secrets from files, variables and commands, and the text of the CA', async () => {
    const folder = await temporaryFolder();
    const [key, ca] = [join(folder, 'key'), join(folder, 'ca.crt')];
    await writeFile(key, 'AKIA\n');
    await writeFile(ca, PEM);
    const s3 = {
      endpoint: 'https://s3.example:9000',
      region: 'eu-north-1',
      ca_file: ca,
      credentials: { access_key: { file: key }, secret_key: { command: ['printf', 'from-a-command'] } },
    };
    expect(await accessOf({ location: 's3://backups/skep', s3 })).toEqual({
      location: 's3://backups/skep',
      s3: {
        endpoint: 'https://s3.example:9000',
        region: 'eu-north-1',
        pathStyle: true,
        ca: PEM,
        credentials: { accessKeyId: 'AKIA', secretAccessKey: 'from-a-command' },
      },
    });
  });

  test("of Amazon's takes this machine's environment for the nodes too", async () => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c', AWS_REGION: 'eu-west-1' };
    expect(await accessOf('s3://backups', env)).toEqual({
      location: 's3://backups',
      s3: {
        region: 'eu-west-1',
        pathStyle: false,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
      },
    });
    expect((await accessOf('s3://backups')).s3?.credentials).toBeUndefined();
  });

  test('names the key whose secret or CA cannot be read', async () => {
    const credentials = { access_key: { env: 'SKEP_NO_SUCH' }, secret_key: { env: 'SKEP_NO_SUCH' } };
    await expect(accessOf({ location: 's3://backups', s3: { credentials } })).rejects.toMatchObject({
      code: 'secret-unreadable',
      message: expect.stringContaining('repository.s3.credentials.access_key'),
    });
    await expect(accessOf({ location: 's3://backups', s3: { ca_file: '/no/such' } })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('/no/such'),
    });
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'ca.crt'), 'no certificate');
    await expect(accessOf({ location: 's3://backups', s3: { ca_file: join(folder, 'ca.crt') } })).rejects.toMatchObject(
      { code: 'config-invalid', message: expect.stringContaining('repository.s3.ca_file') },
    );
  });

  test.each([
    { location: '/backups', s3: {} },
    { location: 's3:///x' },
    's3://',
    { location: 's3://b', s3: { key: 'x' } },
  ])('is refused in %j', async (repository) => {
    await expect(accessOf(repository)).rejects.toMatchObject({ code: 'config-invalid' });
  });
});

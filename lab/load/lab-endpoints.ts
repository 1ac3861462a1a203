import { readFile } from 'node:fs/promises';
import type { LabRecord } from '../clusters/record.ts';
import type { Endpoints } from './endpoints.ts';

/** The endpoints of a lab that is up, with the passwords read from its files. */
export async function labEndpoints(lab: LabRecord): Promise<Endpoints> {
  const { urls, user, passwordFile, caFile } = lab.elasticsearch;
  const password = passwordFile === undefined ? undefined : await secret(passwordFile);
  return {
    gremlinUrl: lab.gremlinUrl,
    elasticsearch: {
      urls,
      ...(user === undefined || password === undefined ? {} : { user, password }),
      ...(caFile === undefined ? {} : { caFile }),
    },
    attachmentsDir: lab.files.location,
    cassandra: {
      contactPoints: lab.cql.contactPoints,
      port: lab.cql.port,
      localDataCenter: lab.cql.datacenter,
      user: lab.cql.user,
      password: await secret(lab.cql.passwordFile),
    },
  };
}

async function secret(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

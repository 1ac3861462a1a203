import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabLayout } from '../layout.ts';

export interface Login {
  user: string;
  password: string;
  passwordFile: string;
}

/** Every login of a lab; the passwords are random and made at each boot. */
export interface Secrets {
  /** Cassandra's superuser, for skep and for tests. */
  cql: Login;
  /** Cassandra's role for JanusGraph. */
  graphCql: Login;
  /** Elasticsearch's superuser, for skep and for tests. */
  elasticsearch: Login;
  graphElasticsearch: Login;
  /** The file has nodetool's own format, `USER PASSWORD`; Cassandra reads the same one. */
  jmx: Login;
  jmxAccessFile: string;
}

export async function makeSecrets(layout: LabLayout): Promise<Secrets> {
  await mkdir(layout.secrets, { recursive: true, mode: 0o700 });
  const login = async (file: string, user: string, line = (l: Login) => l.password): Promise<Login> => {
    const made = {
      user,
      password: randomBytes(18).toString('base64url'),
      passwordFile: path.join(layout.secrets, file),
    };
    await writeFile(made.passwordFile, `${line(made)}\n`, { mode: 0o600 });
    return made;
  };
  const jmxAccessFile = path.join(layout.secrets, 'jmx.access');
  const jmx = await login('jmx', 'skep-lab', (l) => `${l.user} ${l.password}`);
  await writeFile(jmxAccessFile, `${jmx.user} readwrite\n`, { mode: 0o600 });
  return {
    cql: await login('cql', 'skep_lab'),
    graphCql: await login('cql-thehive', 'thehive'),
    elasticsearch: await login('elasticsearch', 'skep-lab'),
    graphElasticsearch: await login('elasticsearch-thehive', 'thehive'),
    jmx,
    jmxAccessFile,
  };
}

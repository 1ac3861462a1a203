import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Tool } from '../ground/tools.ts';
import { runTool } from '../ground/run-tool.ts';
import type { LabLayout } from '../layout.ts';

/** Days that the lab's certificates hold: more than any lab lives. */
const DAYS = '30';

export interface Certificates {
  caFile: string;
  certificate: string;
  key: string;
  trustStore: string;
  trustStorePassword: string;
  /** The node's certificate with its key, for Java; the password is that of the trust store. */
  keyStore: string;
}

/** Makes a CA, one certificate for the three addresses, and a Java trust store with the CA. */
export async function makeCertificates(layout: LabLayout, tools: Record<Tool, string>): Promise<Certificates> {
  const folder = layout.certificates;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at = (name: string): string => path.join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await runTool([
    ...[tools.openssl, 'req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.crt')],
    ...['-days', DAYS, '-subj', '/CN=skep lab CA'],
  ]);
  await runTool([
    ...[tools.openssl, 'req', '-new', ...newKey, '-keyout', at('node.key'), '-out', at('node.csr')],
    ...['-subj', '/CN=skep lab node'],
  ]);
  const names = layout.nodes.map((n) => `IP:${n.address}`).join(',');
  await writeFile(at('extensions'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  await runTool([
    ...[tools.openssl, 'x509', '-req', '-in', at('node.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key')],
    ...['-CAcreateserial', '-days', DAYS, '-extfile', at('extensions'), '-out', at('node.crt')],
  ]);
  await Promise.all(['node.csr', 'extensions', 'ca.srl'].map((name) => rm(at(name), { force: true })));
  const trustStorePassword = randomBytes(18).toString('base64url');
  await runTool([
    // without the option it would leave a folder among the system's temporary files
    ...[tools.keytool, '-J-XX:-UsePerfData', '-importcert', '-noprompt', '-alias', 'ca', '-file', at('ca.crt')],
    ...['-keystore', at('truststore.p12'), '-storetype', 'PKCS12', '-storepass', trustStorePassword],
  ]);
  const password = `pass:${trustStorePassword}`;
  await runTool([
    ...[tools.openssl, 'pkcs12', '-export', '-in', at('node.crt'), '-inkey', at('node.key'), '-name', 'node'],
    ...['-out', at('keystore.p12'), '-passout', password],
  ]);
  return {
    keyStore: at('keystore.p12'),
    caFile: at('ca.crt'),
    certificate: at('node.crt'),
    key: at('node.key'),
    trustStore: at('truststore.p12'),
    trustStorePassword,
  };
}

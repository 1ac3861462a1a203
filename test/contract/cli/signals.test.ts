import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { initRepository } from '../../../src/repository/index.ts';
import { minimalConfig } from '../../unit/support/cluster.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';

const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts');

/** A sealed repository; what tells its naming key, and the password for CQL, says when it runs and takes a while. */
async function scene() {
  const folder = await temporaryFolder();
  const [location, asked] = [join(folder, 'repository'), join(folder, 'asked')];
  const namingKey = 'a'.repeat(64);
  const [old, young] = await Promise.all([newRecipient(), newRecipient()]);
  const made = { clusterName: 'prod', clusterId: 'c'.repeat(32) };
  const repository = await initRepository({ location, namingKey, recipients: [old] }, made);
  const slow = { command: ['sh', '-c', `touch ${asked}; sleep 1; echo ${namingKey}`] };
  const config = minimalConfig();
  Object.assign(config.clusters['prod'] as object, {
    cassandra: { user: 'skep', password: slow },
    repository: { location, sealing: { recipients: [young], naming_key: slow } },
  });
  const file = join(folder, 'skep.yaml');
  await writeFile(file, stringify(config));
  return { file, location, asked, repository };
}

async function newRecipient(): Promise<string> {
  return identityToRecipient(await generateX25519Identity());
}

/** Ends skep by a signal as soon as it has begun to work; gives its exit code and what it said. */
async function interrupted(args: readonly string[], asked: string, signal: NodeJS.Signals) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null]>;
  await expect.poll(() => readFile(asked).catch(() => undefined), { timeout: 20_000 }).toBeDefined();
  child.kill(signal);
  const [exitCode] = await closed;
  return { exitCode, stdout };
}

test.each([
  [['forget', '--keep-last', '1'], 'SIGTERM', 143, 'terminated'],
  [['keys', 'rotate'], 'SIGINT', 130, 'cancelled'],
  [['init'], 'SIGTERM', 143, 'terminated'],
] as const)(
  '%o that gets %s ends with its exit code and an error that says so',
  async (command, signal, code, error) => {
    const s = await scene();
    const ran = await interrupted([...command, '--config', s.file, '--json'], s.asked, signal);
    expect(ran.exitCode).toBe(code);
    expect(ran.stdout).toContain(`"code":"${error}"`);
    expect(await readdir(join(s.location, 'leases')).catch(() => [])).toEqual([]);
    expect(await s.repository.keys()).toHaveLength(1);
  },
);

// Brings what a fresh Debian 12 lacks: as root it installs the packages, else it names them and fails. Then fetches the jars
// and builds the S3 server.
import { writeFile, rm, access } from 'node:fs/promises';
import { SkepError, toSkepError } from '../src/errors.ts';
import { runTool } from '../lab/ground/run-tool.ts';
import { findTools, missingPackages } from '../lab/ground/tools.ts';
import { ensurePrograms } from '../lab/clusters/write-nodes.ts';

/** What `systemctl disable ssh` removes. */
const AT_BOOT = '/etc/systemd/system/multi-user.target.wants/ssh.service';

/** While this file exists and exits with 101, Debian's packages start no services when they are installed. */
const POLICY = '/usr/sbin/policy-rc.d';

try {
  const packages = missingPackages(await findTools());
  if (packages.length > 0) await install(packages);
  await ensurePrograms({ cassandra: '4.1.10', elasticsearch: '8.19.0' });
} catch (e) {
  const error = toSkepError(e);
  process.stderr.write(`${error.message}\n${error.hint}\n`);
  process.exitCode = error.exitCode;
}

async function install(packages: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new SkepError('preflight-failed', `packages are missing: ${packages.join(' ')}`, {
      hint: `Run as root: apt-get install --no-install-recommends ${packages.join(' ')}`,
    });
  }
  process.stderr.write(`installing ${packages.join(' ')}\n`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await runTool(['apt-get', 'update', '-q'], { env });
  await withoutServices(async () => {
    await runTool(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages], { env });
  });
  // the lab runs its own sshd: the system's, which nobody asked for, shall not start at the next boot either
  if (packages.includes('openssh-server')) await rm(AT_BOOT, { force: true });
  const still = missingPackages(await findTools());
  if (still.length > 0)
    throw new SkepError('preflight-failed', `still missing after the installation: ${still.join(' ')}`);
}

async function withoutServices(task: () => Promise<void>): Promise<void> {
  const theirs = await access(POLICY).then(
    () => true,
    () => false,
  );
  // where the machine has a policy of its own, that one holds
  if (theirs) return task();
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await task();
  } finally {
    await rm(POLICY, { force: true });
  }
}

import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';

/** What must be on the machine, and the Debian 12 package that brings it. */
export const TOOL_PACKAGES = {
  java: 'openjdk-17-jdk-headless',
  javac: 'openjdk-17-jdk-headless',
  jar: 'openjdk-17-jdk-headless',
  keytool: 'openjdk-17-jdk-headless',
  mvn: 'maven',
  sshd: 'openssh-server',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  openssl: 'openssl',
  zstd: 'zstd',
  jq: 'jq',
  python3: 'python3',
  pip3: 'python3-pip',
  age: 'age',
  sudo: 'sudo',
  ip: 'iproute2',
} as const;

export type Tool = keyof typeof TOOL_PACKAGES;

const JVM_FOLDER = '/usr/lib/jvm';
/** sshd must be started by its full path, which is often not on the PATH of a user. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Full paths of the tools that are there. */
export async function findTools(env: NodeJS.ProcessEnv = process.env): Promise<Partial<Record<Tool, string>>> {
  const java17 = await java17Folders();
  const folders = [...(env['PATH'] ?? '').split(':').filter((f) => f !== ''), ...SYSTEM_FOLDERS];
  const found: Partial<Record<Tool, string>> = {};
  for (const tool of Object.keys(TOOL_PACKAGES) as Tool[]) {
    const isJava = TOOL_PACKAGES[tool].startsWith('openjdk');
    // another Java may come first on the PATH: the servers want 17
    const file = await firstExecutable(isJava ? [...java17, ...folders] : folders, tool);
    if (file !== undefined) found[tool] = file;
  }
  return found;
}

/** The Debian packages that bring the tools that are absent. */
export function missingPackages(found: Partial<Record<Tool, string>>): string[] {
  const missing = (Object.keys(TOOL_PACKAGES) as Tool[]).filter((tool) => found[tool] === undefined);
  return [...new Set(missing.map((tool) => TOOL_PACKAGES[tool]))].sort();
}

/** Full paths of all tools; `command-failed` naming the packages when one is absent. */
export async function requireTools(): Promise<Record<Tool, string>> {
  const found = await findTools();
  const packages = missingPackages(found);
  if (packages.length > 0) {
    throw new SkepError('command-failed', `packages are missing on this machine: ${packages.join(' ')}`, {
      hint: `Run \`make setup\` as root, or \`apt-get install ${packages.join(' ')}\`.`,
    });
  }
  return found as Record<Tool, string>;
}

async function java17Folders(): Promise<string[]> {
  const names = await readdir(JVM_FOLDER).catch(() => []);
  return names.filter((n) => n.startsWith('java-17-')).map((n) => path.join(JVM_FOLDER, n, 'bin'));
}

async function firstExecutable(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const file = path.join(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

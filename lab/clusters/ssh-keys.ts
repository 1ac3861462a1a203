import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { runTool } from '../ground/run-tool.ts';
import type { Tool } from '../ground/tools.ts';
import type { LabLayout } from '../layout.ts';
import { sshClientConfig, sshdConfig } from '../nodes/sshd-config.ts';

/** Makes host keys, one client key, known_hosts, and the configuration of servers and client. */
export async function makeSsh(
  layout: LabLayout,
  labId: string,
  tools: Record<Tool, string>,
  user = userInfo().username,
): Promise<void> {
  await mkdir(layout.ssh, { recursive: true, mode: 0o700 });
  const clientKey = path.join(layout.ssh, 'client_key');
  await generateKey(tools, clientKey, 'skep-lab');
  const authorized = await readFile(`${clientKey}.pub`, 'utf8');
  const pam = await isAccountLocked(user);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const known = layout.nodes.map(async (node) => {
    const home = path.join(node.root, 'ssh');
    await mkdir(home, { recursive: true, mode: 0o700 });
    await generateKey(tools, path.join(home, 'host_key'), node.name);
    await writeFile(path.join(home, 'authorized_keys'), authorized, { mode: 0o600 });
    await writeFile(path.join(home, 'sshd_config'), sshdConfig(layout, node, { labId, pam }));
    const [type, key] = (await readFile(path.join(home, 'host_key.pub'), 'utf8')).split(' ');
    return `${node.name} ${type} ${key}\n`;
  });
  await writeFile(path.join(layout.ssh, 'known_hosts'), (await Promise.all(known)).join(''));
  await writeFile(path.join(layout.ssh, 'ssh_config'), sshClientConfig(layout, user));
}

async function generateKey(tools: Record<Tool, string>, file: string, comment: string): Promise<void> {
  await runTool([tools['ssh-keygen'], '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
}

/** Without PAM sshd refuses an account whose password field begins with `!`; only root can see that field. */
async function isAccountLocked(user: string): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const shadow = await readFile('/etc/shadow', 'utf8').catch(() => '');
  const line = shadow.split('\n').find((l) => l.startsWith(`${user}:`));
  return line?.split(':')[1]?.startsWith('!') ?? false;
}

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { NodeConfig, SshConfig } from '../config/schema.ts';
import { sshConfigArgv } from './ssh.ts';

/** One connection for all sessions with a node (OpenSSH's ControlMaster); made by the first of them. */
export interface SharedConnection {
  /** Its socket: there as long as the connection is. */
  controlPath: string;
  isOpen(): boolean;
  /** Lets nobody in any more. The connection itself ends after its last session. */
  end(): Promise<void>;
}

/** A folder that ssh neither expands nor finds too long: with the names below it, a socket has 107 characters. */
const USABLE = /^\/[\w./+-]{0,70}$/;

/**
 * A connection of one opened node: nobody else meets it, so that a later run never waits for one that a cut cable left
 * behind. Undefined where the user's own configuration has a ControlPath, which is then used, or where no socket can be made.
 */
export async function shareConnection(node: NodeConfig, ssh: SshConfig): Promise<SharedConnection | undefined> {
  const [file, ...args] = sshConfigArgv(node, ssh);
  const { failed, stdout } = await execa(file, args, { reject: false, stdin: 'ignore' });
  if (failed || /^controlpath /m.test(stdout)) return undefined;
  const parent = [process.env['XDG_RUNTIME_DIR'], tmpdir(), '/tmp'].find((d) => d && USABLE.test(d) && existsSync(d));
  const folder = await mkdtemp(join(parent ?? '/tmp', 'skep-')).catch(() => undefined);
  if (folder === undefined) return undefined;
  const controlPath = join(folder, 'ssh');
  return {
    controlPath,
    isOpen: () => existsSync(controlPath),
    end: () => rm(folder, { recursive: true, force: true }),
  };
}

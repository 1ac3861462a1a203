import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { claimFolder, removeLab } from '../clusters/remove.ts';
import { makeSsh } from '../clusters/ssh-keys.ts';
import { startWatchdog } from '../clusters/watch.ts';
import { requireTools } from '../ground/tools.ts';
import { layoutOf } from '../layout.ts';
import { sshdSpec } from '../nodes/sshd-config.ts';
import { LabService } from './service.ts';
import { LAB_ID, writeSpec } from './spec.ts';

/** An sshd of its own, without a cluster. */
export class SshServer extends LabService {
  readonly root: string;
  /** ssh_config of a client; the host is called `n1`. */
  readonly config: string;

  private constructor(root: string, config: string) {
    super(root, 'n1-sshd');
    this.root = root;
    this.config = config;
  }

  /** Starts one on the addresses of `shift`. It goes down with the process `owner`, however that ends. */
  static async boot(o: { root: string; shift: number; owner: number }): Promise<SshServer> {
    const layout = layoutOf(o);
    const tools = await requireTools();
    const id = randomUUID();
    await claimFolder(o.root, id);
    try {
      await startWatchdog(o.root, o.owner);
      await makeSsh(layout, id, tools);
      const [node] = layout.nodes;
      const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: o.root, [LAB_ID]: id };
      await writeSpec(o.root, sshdSpec(layout, node!, tools.sshd, env));
      const server = new SshServer(o.root, path.join(layout.ssh, 'ssh_config'));
      await server.start();
      return server;
    } catch (e) {
      await removeLab(o.root);
      throw e;
    }
  }

  /** Ends it and removes its folder. */
  async down(): Promise<void> {
    await removeLab(this.root);
  }
}

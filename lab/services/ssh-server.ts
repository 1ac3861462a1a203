import path from 'node:path';
import { removeLab } from '../clusters/remove.ts';
import { makeSsh } from '../clusters/ssh-keys.ts';
import { requireTools } from '../ground/tools.ts';
import { layoutOf } from '../layout.ts';
import { sshdSpec } from '../nodes/sshd-config.ts';
import { bootAlone } from './boot-alone.ts';
import { LabService } from './service.ts';
import { writeSpec } from './spec.ts';

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
    return bootAlone(o, async (id, env) => {
      await makeSsh(layout, id, tools);
      const [node] = layout.nodes;
      await writeSpec(o.root, sshdSpec(layout, node!, tools.sshd, env));
      return new SshServer(o.root, path.join(layout.ssh, 'ssh_config'));
    });
  }

  /** Ends it and removes its folder. */
  async down(): Promise<void> {
    await removeLab(this.root);
  }
}

import type { CheckContext } from '../checks/check.ts';
import { refusalOf } from '../checks/preflight.ts';
import { runChecks } from '../checks/run-checks.ts';
import { sudo } from '../checks/sudo.ts';
import { forNode } from '../config/load.ts';
import { SkepError, toSkepError } from '../errors.ts';
import { asRoot } from '../remote/become.ts';
import type { BackupWork } from './backup-work.ts';
import { agentOf } from './connections.ts';
import { isActive, nodesOf, requireTheHive, startService, stopService } from './services.ts';
import { stage } from './stage.ts';

/** TheHive while a cold backup holds it. */
export interface Held {
  /** Starts it again where it ran. Never throws: the backup is good whatever becomes of that; gives what went wrong. */
  start(): Promise<SkepError | undefined>;
}

const STEP = 'TheHive';

/** Before anything is begun: what can be stopped must be known, and can be started again. Errors: `config-invalid`, `sudo-refused`. */
export async function checkCold(ctx: CheckContext): Promise<void> {
  requireTheHive(ctx.connections.cluster);
  const refusal = refusalOf(await runChecks(ctx, [sudo]));
  if (refusal) throw refusal;
}

/**
 * Stops TheHive, one node after the other, on the nodes where it runs. It is started again by `start`, by the clean-up
 * when something fails before, and by the agents when this process dies. Errors: `command-failed`, `sudo-refused`.
 */
export async function holdTheHive(w: BackupWork): Promise<Held> {
  const { c, emit, cleanup } = w;
  const held: string[] = [];
  const start = async (): Promise<void> => {
    const { signal } = new AbortController();
    for (const node of held.toReversed()) {
      await startService(c, node, 'thehive', signal);
      await agentOf(c.agents, node).call('node.offExit', { id: idOf(w) });
    }
  };
  await stage(emit, 'stop-thehive', 'stopping TheHive', async () => {
    cleanup.add(STEP, start);
    for (const { name } of nodesOf(c.cluster, 'thehive')) {
      if (!(await isActive(c, name, 'thehive', w.signal))) continue;
      const argv = asRoot(c.cluster.agent, forNode(c.cluster.thehive.service.start, name));
      await agentOf(c.agents, name).call('node.onExit', { id: idOf(w), argv });
      held.push(name);
      await stopService(c, name, 'thehive', w.signal);
    }
  });
  return {
    start: () =>
      stage(emit, 'start-thehive', 'starting TheHive', () => cleanup.runNow(STEP)).then(
        () => undefined,
        (e: unknown) => toSkepError(e),
      ),
  };
}

function idOf(w: BackupWork): string {
  return `thehive-${w.run}`;
}

/** What to say when the backup is there and TheHive is not. */
export function notStarted(backup: string, cause: SkepError): SkepError {
  return new SkepError('command-failed', `backup ${backup} is complete, but TheHive did not start: ${cause.message}`, {
    hint: `skep tries once more before it ends: see whether it runs now. ${cause.hint}`,
    context: { backup },
    cause,
  });
}

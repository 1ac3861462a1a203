import type { CheckContext } from '../checks/check.ts';
import { refusalOf } from '../checks/preflight.ts';
import { runChecks } from '../checks/run-checks.ts';
import { sudo } from '../checks/sudo.ts';
import { forNode } from '../config/load.ts';
import { SkepError, toSkepError } from '../errors.ts';
import { asRoot } from '../remote/become.ts';
import { quoteAll } from '../remote/quote.ts';
import type { BackupWork } from './backup-work.ts';
import { agentOf } from './connections.ts';
import { givingBack } from './fresh-agent.ts';
import { isActive, nodesOf, requireTheHive, startService, stopService } from './services.ts';
import { stage } from './stage.ts';

/** TheHive while a cold backup holds it. */
export interface Held {
  /**
   * Starts it again where it ran, also where the agent that stopped it has ended. Never throws: the backup is good whatever
   * becomes of that; gives what went wrong, with the nodes on which TheHive is down.
   */
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
    const failed: Failed[] = [];
    for (const node of held.toReversed()) {
      await givingBack(c, node, async (agents) => {
        await startService({ cluster: c.cluster, agents }, node, 'thehive', signal);
        await agentOf(agents, node).call('node.offExit', { id: idOf(w) });
      }).catch((e: unknown) => failed.push({ node, cause: toSkepError(e) }));
    }
    if (failed.length > 0) throw downOn(w, failed);
  };
  await stage(emit, 'stop-thehive', 'stopping TheHive', async () => {
    cleanup.add(STEP, start);
    for (const { name } of nodesOf(c.cluster, 'thehive')) {
      if (!(await isActive(c, name, 'thehive', w.signal))) continue;
      await agentOf(c.agents, name).call('node.onExit', { id: idOf(w), argv: startArgv(w, name) });
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

function startArgv({ c: { cluster } }: BackupWork, node: string): string[] {
  return asRoot(cluster.agent, forNode(cluster.thehive.service.start, node));
}

interface Failed {
  node: string;
  cause: SkepError;
}

/** The message has the command too: a clean-up that fails is told without its hint. */
function downOn(w: BackupWork, failed: readonly Failed[]): SkepError {
  const commands = failed.map(({ node }) => `\`${quoteAll(startArgv(w, node))}\` on ${node}`).join(', ');
  const why = [...new Set(failed.map(({ cause }) => cause.message))].join('; ');
  const nodes = failed.map(({ node }) => node);
  return new SkepError('command-failed', `TheHive is down on ${nodes.join(', ')}: start it by ${commands} (${why})`, {
    hint: `Unless TheHive runs again, since skep tries once more before it ends, run ${commands}.`,
    context: { nodes },
    cause: failed[0]?.cause,
  });
}

/** What to say when the backup is there and TheHive is not. */
export function notStarted(backup: string, down: SkepError): SkepError {
  return new SkepError('command-failed', `backup ${backup} is complete, but ${down.message}`, {
    hint: down.hint,
    context: { ...down.context, backup },
    cause: down,
  });
}

/** What to say when neither is there: the code is that of the backup's failure. */
export function failedAndDown(e: unknown, down: SkepError): SkepError {
  const { code, message, context } = toSkepError(e);
  return new SkepError(code, `${message}; ${down.message}`, { hint: down.hint, context, cause: e });
}

import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Results } from '../protocol/methods.ts';
import { agentOf, type Connections } from './connections.ts';

/** How many paths an error names. */
const NAMED = 10;

type State = Results['files.judge']['states'][number];

/**
 * Looks once more at attachments that were stored with another content than their names promise. One that is still being
 * written, or was until now, is nothing that the graph could refer to at `T`: TheHive commits when its file is whole. The
 * rest is damage, and a backup that holds it does not keep its promise. Error: `attachments-damaged`, unless the
 * configuration accepts each of them.
 */
export async function refuseDamaged(
  c: Connections,
  mismatched: readonly string[],
  o: { signal: AbortSignal; emit: Emit },
): Promise<void> {
  if (mismatched.length === 0) return;
  const { node, location, accept_damaged } = c.cluster.files;
  const agent = agentOf(c.agents, node, 'files');
  const { states } = await agent.call(
    'files.judge',
    { ...c.attachments, paths: [...mismatched] },
    { signal: o.signal },
  );
  const { damaged, warnings } = judgeDamage(states, accept_damaged);
  for (const w of warnings) o.emit({ type: 'warning', text: w.text, context: { path: w.path } });
  if (damaged.length === 0) return;
  const more = damaged.length > NAMED ? `, and ${damaged.length - NAMED} more` : '';
  const names = damaged.slice(0, NAMED).join(', ');
  throw new SkepError(
    'attachments-damaged',
    `${damaged.length} of the attachments on ${node} ${damaged.length === 1 ? 'is' : 'are'} damaged: ${names}${more}`,
    {
      hint: `Bring each back into ${location} (its name is the \`sha256sum\` of its content, or the hash with which \`attachment.hash\` of TheHive begins); where it is lost for good, name it under \`files.accept_damaged\` in skep.yaml.`,
      context: { node, location, damaged },
    },
  );
}

/** What is damage that nobody has accepted, and what is only told. Pure. */
export function judgeDamage(
  states: readonly State[],
  accepted: readonly string[],
): { damaged: string[]; warnings: { path: string; text: string }[] } {
  const damaged: string[] = [];
  const warnings = [];
  for (const { path, state } of states) {
    if (state === 'changing' || state === 'whole') {
      warnings.push({ path, text: `${path} was not whole yet: it was still being written` });
    } else if (accepted.includes(path)) {
      warnings.push({ path, text: `${path} is damaged, which the configuration accepts` });
    } else damaged.push(path);
  }
  return { damaged, warnings };
}

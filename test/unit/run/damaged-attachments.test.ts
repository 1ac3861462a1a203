import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { SkepEvent } from '../../../src/events.ts';
import type { Connections } from '../../../src/run/connections.ts';
import { refuseDamaged } from '../../../src/run/damaged-attachments.ts';

const [A, B] = ['attachment/a', 'attachment/b'];

/** What comes of attachments that were stored with another content than named, and are in these states now. */
async function outcome(states: Record<string, string>, accept_damaged: string[] = []) {
  const events: SkepEvent[] = [];
  const agent = { call: async () => ({ states: Object.entries(states).map(([path, state]) => ({ path, state })) }) };
  const c = {
    cluster: { files: { node: 'n1', location: '/files', accept_damaged } },
    agents: new Map([['n1', { as: () => agent }]]),
  } as unknown as Connections;
  const signal = new AbortController().signal;
  const error: unknown = await refuseDamaged(c, Object.keys(states), { signal, emit: (e) => events.push(e) }).catch(
    (e: unknown) => e,
  );
  const warnings = events.flatMap((e) => (e.type === 'warning' ? [e.text] : []));
  return { error: error instanceof SkepError ? error : undefined, warnings };
}

describe('an attachment whose content is not what its name promises', () => {
  test.each(['damaged', 'gone'])('and is %s makes the backup incomplete', async (state) => {
    const { error } = await outcome({ [A]: state, [B]: 'whole' });
    expect(error).toMatchObject({ code: 'attachments-damaged', exitCode: 3, context: { damaged: [A] } });
    expect(error?.hint).toContain('files.accept_damaged');
  });

  test('is only told where the configuration accepts that very one', async () => {
    expect(await outcome({ [A]: 'damaged' }, [A])).toEqual({
      error: undefined,
      warnings: [`${A} is damaged, which the configuration accepts`],
    });
    expect((await outcome({ [A]: 'damaged', [B]: 'damaged' }, [A])).error?.context.damaged).toEqual([B]);
  });

  test.each(['changing', 'whole'])('because it was still being written (%s now) is only told', async (state) => {
    const { error, warnings } = await outcome({ [A]: state });
    expect(error).toBeUndefined();
    expect(warnings).toEqual([`${A} was not whole yet: it was still being written`]);
  });

  test('is looked for only where there is one', async () => {
    const none = {} as Connections;
    const signal = new AbortController().signal;
    await expect(refuseDamaged(none, [], { signal, emit: () => {} })).resolves.toBeUndefined();
  });
});

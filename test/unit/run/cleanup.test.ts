import { describe, expect, test } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { SkepEvent } from '../../../src/events.ts';
import { Cleanup } from '../../../src/run/cleanup.ts';
import { stage } from '../../../src/run/stage.ts';

function scene() {
  const cleanup = new Cleanup();
  const ran: string[] = [];
  const events: SkepEvent[] = [];
  return {
    cleanup,
    ran,
    events,
    emit: (e: SkepEvent) => void events.push(e),
    step: (name: string, fail?: Error) =>
      cleanup.add(name, async () => {
        ran.push(name);
        if (fail) throw fail;
      }),
  };
}

describe('a clean-up', () => {
  test('runs each step once, the last one first', async () => {
    const { cleanup, ran, emit, step } = scene();
    for (const name of ['connections', 'lease', 'pins']) step(name);
    expect(await cleanup.runAll(emit)).toEqual([]);
    expect(await cleanup.runAll(emit)).toEqual([]);
    expect(ran).toEqual(['pins', 'lease', 'connections']);
  });

  test('goes on after a step that fails, and tells it as a warning', async () => {
    const { cleanup, ran, events, emit, step } = scene();
    step('a');
    step('b', new SkepError('command-failed', 'node is gone'));
    step('c', new Error('boom'));
    expect(await cleanup.runAll(emit)).toEqual(['c', 'b']);
    expect(ran).toEqual(['c', 'b', 'a']);
    expect(events).toEqual([
      { type: 'warning', text: 'clean-up failed: c: boom', context: { step: 'c' } },
      { type: 'warning', text: 'clean-up failed: b: node is gone', context: { step: 'b' } },
    ]);
  });

  test('of one step now leaves nothing of it for later, unless it failed', async () => {
    const { cleanup, ran, emit, step } = scene();
    step('good');
    step('bad', new Error('boom'));
    await cleanup.runNow('good');
    await cleanup.runNow('never added');
    await expect(cleanup.runNow('bad')).rejects.toThrow('boom');
    await cleanup.runAll(emit);
    expect(ran).toEqual(['good', 'bad', 'bad']);
  });

  test('has the newer of two steps of one name, in its place', async () => {
    const { cleanup, ran, emit, step } = scene();
    step('x', new Error('the older one'));
    step('y');
    step('x');
    expect(await cleanup.runAll(emit)).toEqual([]);
    expect(ran).toEqual(['x', 'y']);
  });
});

describe('a stage', () => {
  test('tells when it begins and when it has ended, and gives what its work gave', async () => {
    const { events, emit } = scene();
    expect(await stage(emit, 'pin', 'pinning', async () => events.length)).toBe(1);
    expect(events).toEqual([
      { type: 'stage-started', stage: 'pin', text: 'pinning' },
      { type: 'stage-done', stage: 'pin', ms: expect.any(Number) },
    ]);
  });

  test('that fails is not told as done', async () => {
    const { events, emit } = scene();
    await expect(stage(emit, 'pin', 'pinning', () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
    expect(events.map((e) => e.type)).toEqual(['stage-started']);
  });
});

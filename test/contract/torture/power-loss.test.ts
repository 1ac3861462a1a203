// First: it must see the filesystem before the product does.
import './support/file-steps.ts';
import { describe, expect, test, vi } from 'vitest';
import { operation } from './support/operations.ts';
import { crashEverywhere } from './support/power-loss.ts';
import type { StepEvent } from './support/record.ts';
import { nameOf } from './support/step-names.ts';
import { temporaryFolder } from './support/temporary.ts';

vi.setConfig({ testTimeout: 600_000 });

describe('a machine that loses its power at any step of', () => {
  test('a backup loses no older backup, shows no false one, and the rerun completes', async () => {
    const { steps, states, complaints } = await crashEverywhere(await temporaryFolder(), operation('backup'), {
      every: 4,
    });
    console.log(`backup: ${steps} steps, ${states} states of the disk`);
    expect(complaints).toEqual([]);
    expect(states).toBeGreaterThan(40);
  });
});

describe('what the disk keeps is seen to go wrong', () => {
  test.each<[string, (event: StepEvent, seen: number) => boolean]>([
    ['the bytes are not synced before they get their names', ({ step }) => step.kind === 'sync-filesystem'],
    [
      'the folder of the manifest is not synced',
      ({ step }) => step.kind === 'sync' && nameOf(step) === 'sync backups/*',
    ],
  ])('when %s', async (_, left) => {
    let seen = 0;
    const tamper = (events: StepEvent[]): StepEvent[] => events.filter((event) => !left(event, seen++));
    const { complaints } = await crashEverywhere(await temporaryFolder(), operation('backup'), { every: 9, tamper });
    expect(complaints.length).toBeGreaterThan(0);
  });
});

import { expect, test } from 'vitest';
import { runOfTag } from '../../../src/run/sweep.ts';

test('only tags of backups name a run: those kept for undo and those of others are never swept', () => {
  expect(runOfTag('skep-20261123T025808Z-dd6ba1ad833c-1')).toBe('20261123T025808Z-dd6ba1ad833c');
  expect(runOfTag('skep-undo-20261123T025808Z-dd6ba1ad833c')).toBeUndefined();
  expect(runOfTag('before-upgrade')).toBeUndefined();
  expect(runOfTag('skep-20261123T025808Z-dd6ba1ad833c')).toBeUndefined();
});

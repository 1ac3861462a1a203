import { afterEach, describe, expect, test, vi } from 'vitest';
import { eventRenderer } from '../../../src/cli/render/events.ts';
import { Progress, progressLine } from '../../../src/cli/render/progress.ts';
import type { ProgressEvent } from '../../../src/index.ts';

afterEach(() => vi.restoreAllMocks());

const event: ProgressEvent = {
  type: 'progress',
  node: 'n1',
  store: 'files',
  stage: 'pass 1',
  files: 3,
  bytes: 2_000_000,
};
const start = { at: 0, files: 0, bytes: 0 };

describe('a line of progress', () => {
  test('tells how far, of how much, and how long it may take by bytes', () => {
    expect(progressLine(event, start, 1000)).toBe('  n1 files pass 1: 3, 2.0 MB');
    const known = { ...event, totalFiles: 9, totalBytes: 10_000_000 };
    expect(progressLine(known, start, 1000)).toBe('  n1 files pass 1: 3 of 9, 2.0 MB of 10.0 MB, 4s left');
    expect(progressLine(known, { ...start, bytes: 2_000_000 }, 1000)).not.toContain('left');
  });

  test('tells how long by files where the bytes are not known', () => {
    expect(progressLine({ ...event, totalFiles: 9 }, start, 1000)).toBe('  n1 files pass 1: 3 of 9, 2.0 MB, 2s left');
  });
});

describe('progress', () => {
  test('has a line for each node and store, again only after a while', () => {
    const p = new Progress();
    const on = (node: string, files: number): ProgressEvent => ({ ...event, node, files });
    expect(p.take(on('n1', 1), 30_000, 0)).toContain('n1 files');
    expect(p.take(on('n2', 1), 30_000, 10)).toContain('n2 files');
    expect(p.take(on('n1', 2), 30_000, 29_999)).toBeUndefined();
    expect(p.take(on('n1', 3), 30_000, 30_000)).toContain('3');
    expect(p.take(on('n2', 3), 30_000, 30_000)).toBeUndefined();
  });

  test('sums up all that is under way, with the longest time, and forgets what has ended', () => {
    const p = new Progress();
    const on = (node: string, bytes: number): ProgressEvent => ({ ...event, node, bytes, totalBytes: 1000 });
    p.take(on('n1', 0), 1, 0);
    p.take(on('n2', 0), 1, 0);
    p.take(on('n1', 500), 1, 1000);
    p.take(on('n2', 100), 1, 1000);
    expect(p.summary(1000)).toBe('  n1 files 50 % · n2 files 10 %, 9s left');
    p.take(on('n2', 200), 1, 4500);
    expect(p.summary(4500)).toBe('  n2 files pass 1: 3, 200 B of 1.0 KB, 18s left');
  });

  test('is a line now and then where there is no terminal', () => {
    const err: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((s) => err.push(String(s)) > 0);
    const emit = eventRenderer(false);
    for (let i = 0; i < 5; i++) for (const node of ['n1', 'n2']) emit({ ...event, node });
    expect(err).toHaveLength(2);
  });
});

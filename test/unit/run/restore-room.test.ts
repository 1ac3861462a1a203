import { expect, test } from 'vitest';
import type { Space } from '../../../src/protocol/methods.ts';
import { refuseWithoutRoom } from '../../../src/run/restore-room.ts';

const GB = 1e9;
const at = (path: string, device: number, free: number): Space => ({
  path,
  exists: true,
  freeBytes: free,
  totalBytes: 100 * GB,
  device,
  readable: true,
  writable: true,
});
const need = (path: string, bytes: number) => ({ node: 'n1', store: 'cassandra' as const, path, bytes });

test('what is laid out on one filesystem is added up, and a part of it stays free', () => {
  const needs = [need('/data', 10 * GB), need('/files', 10 * GB)];
  const room = (free: number) => refuseWithoutRoom(needs, [at('/data', 1, free), at('/files', 1, free)]);
  expect(() => room(25 * GB)).not.toThrow();
  expect(() => room(25 * GB - 1)).toThrow(expect.objectContaining({ code: 'no-space' }));
});

test('filesystems of their own are judged apart', () => {
  const needs = [need('/data', 10 * GB), need('/files', 10 * GB)];
  expect(() => refuseWithoutRoom(needs, [at('/data', 1, 15 * GB), at('/files', 2, 15 * GB)])).not.toThrow();
  expect(() => refuseWithoutRoom(needs, [at('/data', 1, 15 * GB), at('/files', 2, 14 * GB)])).toThrow(/\/files on n1/);
});

import { createHash } from 'node:crypto';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { attachmentHandlers } from '../../../src/agent/handlers/attachments.ts';
import type { MethodContext } from '../../../src/agent/handlers.ts';
import { temporaryFolder } from '../support/folder.ts';

const named = (content: string) => `attachment/${createHash('sha256').update(content).digest('hex')}`;

test('an attachment is whole, changing while it was written to a moment ago, damaged at rest, or gone', async () => {
  const location = await temporaryFolder();
  await mkdir(join(location, 'attachment'));
  const before = new Date(Date.now() - 60_000);
  const put = async (path: string, content: string, at = before) => {
    await writeFile(join(location, path), content);
    await utimes(join(location, path), at, at);
  };
  await put(named('whole'), 'whole');
  await put(named('fresh'), 'fre', new Date());
  await put(named('rotten'), 'rottem');
  const paths = ['whole', 'fresh', 'rotten', 'gone'].map(named);
  const ctx = { signal: new AbortController().signal } as MethodContext;
  const { states } = await attachmentHandlers['files.judge']({ location, paths }, ctx);
  expect(states.map((s) => s.state)).toEqual(['whole', 'changing', 'damaged', 'gone']);
});

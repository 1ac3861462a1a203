import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const BACKEND = join(import.meta.dirname, '../../../src/repository/backend/path/path-backend.ts');

// In a process of its own, since Node's recursive mkdir would hold up this one for ever.
test.each([
  ['put', `put('skep.json', Buffer.alloc(1))`],
  ['append', `append('runs/x.ndjson', Buffer.alloc(1))`],
  ['marks', `marks(['objects/ab/'])`],
  ['stageBytes', `openBatch('incoming/x/').stageBytes(Buffer.alloc(1))`],
])(
  '%s says where no folder can be made, and does not try for ever',
  (_, call) => {
    const script = `
    const { PathBackend } = await import(${JSON.stringify(BACKEND)});
    await new PathBackend('/proc/none/repository').${call}.catch((e) => console.log(e.code, e.message));`;
    const args = ['--input-type=module', '-e', script];
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' });
    expect(ran).toMatchObject({ signal: null, status: 0 });
    expect(ran.stdout).toMatch(/^repository-failed cannot .*: no folder can be made at \/proc\/none$/m);
  },
  60_000,
);

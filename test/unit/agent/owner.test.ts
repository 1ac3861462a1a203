import { expect, test } from 'vitest';
import { giveTo } from '../../../src/agent/owner.ts';

// A filesystem that lets not even root give its files away, as some NFS.
const STUBBORN = '/proc/sys/kernel/ostype';

test.runIf(process.getuid?.() === 0)('what the filesystem does not let be given away is a typed error', async () => {
  await expect(giveTo({ uid: 12_345, gid: 12_345 }, STUBBORN)).rejects.toMatchObject({
    code: 'restore-failed',
    message: expect.stringContaining(STUBBORN),
    hint: expect.stringContaining('ssh.user'),
  });
});

test.runIf(process.getuid?.() === 0)("and none when it is the owner's already", async () => {
  await expect(giveTo({ uid: 0, gid: 12_345 }, STUBBORN)).resolves.toBeUndefined();
});

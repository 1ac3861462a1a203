/** `node full-disk-prune-process.ts FOLDER`: a full disk, a backup that fails, forget and prune on it, a backup that succeeds. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { toSkepError } from '../../../../src/errors.ts';
import { initRepository, newBackupId } from '../../../../src/repository/index.ts';
import { backUp, CLUSTER } from './repository.ts';

const [folder] = process.argv.slice(2) as [string];
const wanted = process.argv[3];
const withBallast = wanted !== 'without';
const BALLAST = wanted === 'large' ? 64_000_000 : 500_000;
const MB = 1 << 20;
const repo = await initRepository(join(folder, 'repo'), CLUSTER);
if (withBallast) await repo.makeBallast(BALLAST);
const first = await backUp(repo, { a: randomBytes(MB), all: 'all' });
await backUp(repo, { b: randomBytes(MB), all: 'all' });

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fine',
    (e: unknown) => toSkepError(e).code,
  );
const free = () => statfsSync(folder).bavail * statfsSync(folder).bsize;

const failed = await codeOf(backUp(repo, { c: randomBytes(8 * MB) }));
// Other things fill the disk to the last byte.
const filler = join(folder, 'filler');
for (let step = MB; step >= 1; step = Math.floor(step / 2)) {
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(step));
  } catch {
    continue;
  }
}
const full = free();
const owner = () => ({ run: newBackupId(), host: 'h', pid: process.pid });
const forgot = await codeOf(
  repo.forget({ owner: owner(), ids: [first.id], minimum: 1, ballastBytes: withBallast ? BALLAST : 0 }),
);
const pruned = await repo
  .prune({ owner: owner(), ballastBytes: withBallast ? BALLAST : 0 })
  .catch((e: unknown) => ({ code: toSkepError(e).code }));
const freed = free();
const again = await codeOf(backUp(repo, { d: randomBytes(300_000) }));
const { ok, backups } = await repo.verify({ level: 'data' });
rmSync(filler);
process.stdout.write(JSON.stringify({ failed, full, forgot, pruned, freed, again, ok, backups: backups.length }));

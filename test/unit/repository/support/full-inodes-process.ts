/** `node full-inodes-process.ts FOLDER [old]`: forget and prune on a disk with room, but without a free inode. */
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toSkepError } from '../../../../src/errors.ts';
import { initRepository, newBackupId } from '../../../../src/repository/index.ts';
import { backUp, CLUSTER } from './repository.ts';

const [folder] = process.argv.slice(2) as [string];
const BALLAST = 100_000;
const repo = await initRepository(join(folder, 'repo'), CLUSTER);
await repo.makeBallast(BALLAST);
// As a version has made it that knew of bytes only.
if (process.argv[3] === 'old') rmSync(join(folder, 'repo/ballast-files'), { recursive: true });
const first = await backUp(repo, { a: 'only first', all: 'all' });
await backUp(repo, { b: 'only second', all: 'all' });

const seen = (work: Promise<unknown>) =>
  work.then(
    () => 'fine',
    (e: unknown) => {
      const { code, hint } = toSkepError(e);
      return { code, hint };
    },
  );

// Other things use all inodes up.
const filler = join(folder, 'filler');
mkdirSync(filler);
try {
  for (let i = 0; ; i++) writeFileSync(join(filler, `${i}`), '');
} catch {
  // There is none left.
}
const full = statfsSync(folder).ffree;
const failed = await seen(backUp(repo, { c: 'third' }));
const owner = () => ({ run: newBackupId(), host: 'h', pid: process.pid });
const forgot = await seen(repo.forget({ owner: owner(), ids: [first.id], minimum: 1, ballastBytes: BALLAST }));
const pruned = await repo
  .prune({ owner: owner(), ballastBytes: BALLAST })
  .catch((e: unknown) => ({ code: toSkepError(e).code }));
const inodes = readdirSync(join(folder, 'repo')).includes('ballast-files')
  ? readdirSync(join(folder, 'repo/ballast-files')).length
  : 0;
rmSync(filler, { recursive: true });
const { ok, backups } = await repo.verify({ level: 'data' });
process.stdout.write(JSON.stringify({ full, failed, forgot, pruned, inodes, ok, backups: backups.length }));

/** `node full-disk-process.ts FOLDER`: backs up onto a small filesystem until it is full, and prints what came of it. */
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toSkepError } from '../../../../src/errors.ts';
import { initRepository } from '../../../../src/repository/index.ts';
import { backUp, CLUSTER, nextBackupId } from './repository.ts';

const [folder, source] = process.argv.slice(2) as [string, string];
const repo = await initRepository(join(folder, 'repo'), CLUSTER);
await backUp(repo, { a: randomBytes(1 << 20) });

async function fill(size: number): Promise<string> {
  const run = nextBackupId();
  const writer = repo.objectWriter({ run, writer: 'n1' });
  try {
    for (let i = 0; i < 64; i++) {
      const path = join(source, `f${i}`);
      writeFileSync(path, randomBytes(size));
      await writer.putFile(path);
    }
    await writer.close();
    return 'none';
  } catch (error) {
    await writer.abort();
    return toSkepError(error).code;
  }
}

const codes = [await fill(1 << 20), await fill(100_000)];
const left = readdirSync(join(repo.location, 'incoming'));
await backUp(repo, { b: randomBytes(1 << 20) });
const { ok, backups } = await repo.verify({ level: 'data' });
process.stdout.write(JSON.stringify({ codes, left, ok, backups: backups.length }));

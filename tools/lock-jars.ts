// Writes lab/jars/<set>.sha256 anew from what Maven resolves now: after a pom was changed on purpose.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fetchJars, JAR_SETS, listJars } from '../lab/ground/jars.ts';

const folder = path.join(import.meta.dirname, '..', 'lab', 'jars');
for (const set of JAR_SETS) {
  const into = await mkdtemp(path.join(tmpdir(), 'skep-lock-'));
  try {
    await fetchJars(path.join(folder, `${set}.pom.xml`), into);
    const lock = await listJars(into);
    await writeFile(path.join(folder, `${set}.sha256`), lock);
    process.stdout.write(`${set}: ${lock.split('\n').length - 1} jars\n`);
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

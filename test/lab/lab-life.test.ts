import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withCql } from '../../lab/clusters/cql.ts';
import { withElasticsearch } from '../../lab/clusters/elastic.ts';
import { processesOf, removeLab } from '../../lab/clusters/remove.ts';
import { labUp } from '../../lab/index.ts';
import { allGone } from '../../lab/services/end-processes.ts';
import { isAlive, type ProcessIdentity } from '../../lab/services/process-identity.ts';
import { readRuns } from '../../lab/services/spec.ts';
import { freeShift } from './support/free-shift.ts';
import { withOwnLab } from './support/labs.ts';

let base: string;
let root: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'skep-lab-life-'));
  root = path.join(base, 'lab');
});
afterEach(async () => {
  await removeLab(root);
  await rm(base, { recursive: true, force: true });
});

/**
 * Boots a lab in a process of its own and kills that process while it waits for the servers; gives the servers that ran
 * at that moment.
 */
async function killedWhileBooting(shift: number, ...owned: string[]): Promise<ProcessIdentity[]> {
  const entry = path.join(import.meta.dirname, 'support', 'boot-and-hang.ts');
  const child = spawn(process.execPath, [entry, root, String(shift), ...owned], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('sshd: ready')) break;
    }
    return await readRuns(root);
  } finally {
    child.kill('SIGKILL');
  }
}

describe('a lab whose process was killed', () => {
  it('is cleaned by the next up, process and file', async () => {
    const shift = await freeShift();
    const left = await killedWhileBooting(shift);
    expect(left).toHaveLength(9);
    expect(await Promise.all(left.map(isAlive))).not.toContain(false);

    const cleaned = new AbortController();
    const onProgress = (line: string): void => {
      if (line === 'removed what a former lab left') cleaned.abort(new Error('seen enough'));
    };
    await expect(labUp({ root, shift, signal: cleaned.signal, onProgress })).rejects.toThrow('seen enough');
    expect(await allGone(left, 0)).toBe(true);
    expect(await readdir(base)).toEqual([]);
  });

  it('goes down by itself when that process was its owner', async () => {
    const left = await killedWhileBooting(await freeShift(), 'owned');
    expect(left).toHaveLength(9);
    expect(await allGone(left, 20_000)).toBe(true);
    await expect.poll(() => readdir(base), { timeout: 20_000 }).toEqual([]);
  });
});

describe('the folder of a lab', () => {
  it('is refused when it holds something else', async () => {
    await writeFile(path.join(base, 'thesis.txt'), 'years of work');
    await expect(labUp({ root: base, shift: await freeShift() })).rejects.toMatchObject({ code: 'usage' });
    expect(await readdir(base)).toEqual(['thesis.txt']);
  });
});

describe('a lab of the other versions', () => {
  it('comes up, is used, and leaves neither a process nor a file', async () => {
    const versions = { cassandra: '5.0.6', elasticsearch: '7.17.29' } as const;
    const seen = await withOwnLab(versions, async (lab) => {
      const release = await withCql(lab.record, (cql) => cql.execute('SELECT release_version FROM system.local'));
      expect(release.rows[0]?.['release_version']).toBe('5.0.6');
      const info = await withElasticsearch(lab.record, (client) => client.info());
      expect(info.version.number).toBe('7.17.29');
      expect(await lab.janusgraph.state()).toBe('ready');
      return { root: lab.root, processes: await processesOf(lab.root) };
    });
    expect(seen.processes.length).toBeGreaterThanOrEqual(10);
    expect(await allGone(seen.processes, 0)).toBe(true);
    await expect(stat(seen.root)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { compare } from '../compare.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { makeNode } from './files-vs-cp.ts';
import { backUp, type BenchRepository, footprint, init, initRaw } from './product-runs.ts';

/** The first backup of 2 GB into a sealed repository over the same into one that is not sealed. */
export async function* sealedVsRaw(o: RowOptions): AsyncGenerator<Row> {
  const recipients = [await identityToRecipient(await generateX25519Identity())];
  const namingKey = randomBytes(32).toString('hex');
  yield await withFolder(async (folder) => {
    const source = makeNode(join(folder, 'source'), o);
    const access = { location: join(folder, 'sealed'), namingKey, recipients };
    const sealed = { access, hints: join(folder, 'hints') };
    let raw: BenchRepository;
    return compare({
      bench: 'sealed_vs_raw',
      bar: 1.6,
      turns: o.turns,
      ours: () => backUp(sealed, source),
      peer: () => backUp(raw, source),
      between: async () => {
        for (const made of ['sealed', 'raw']) await rm(join(folder, made), { recursive: true, force: true });
        await init(sealed);
        raw = await initRaw(folder, 'raw');
        await warm(join(folder, 'source'));
      },
      more: (runs) => ({ settings: 'skep both times, compression off', caches: 'warm', ...footprint(runs) }),
    });
  });
}

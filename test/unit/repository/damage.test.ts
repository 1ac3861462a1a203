import { identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import type { Repository } from '../../../src/repository/index.ts';
import { initOnBackend, openOnBackend } from '../../../src/repository/repository.ts';
import type { GivenKeys } from '../../../src/repository/sealing/open-keyring.ts';
import { type Kind, KINDS, sort, type Sorted } from './support/kinds.ts';
import { GOLDEN_KEYS } from './support/make-golden.ts';
import { backUp, CLUSTER } from './support/repository.ts';

const DAMAGES = ['flipped', 'cut', 'emptied', 'deleted', 'swapped'] as const;
type Damage = (typeof DAMAGES)[number];

/** What verify at level data calls each damage of each kind of file; nothing where it is none. */
const FINDINGS: Record<Kind, Record<Damage, string | undefined>> = {
  object: {
    flipped: 'hash-mismatch',
    cut: 'object-truncated',
    emptied: 'object-truncated',
    deleted: 'object-missing',
    swapped: 'hash-mismatch',
  },
  'compressed object': {
    flipped: 'hash-mismatch',
    cut: 'object-truncated',
    emptied: 'object-truncated',
    deleted: 'object-missing',
    swapped: 'hash-mismatch',
  },
  'leaf of a listing': piece('listing'),
  'root of a listing': piece('listing'),
  'leaf of an inventory': piece('inventory'),
  'root of an inventory': piece('inventory'),
  manifest: {
    flipped: 'manifest-torn',
    cut: 'manifest-torn',
    emptied: 'manifest-torn',
    deleted: 'manifest-missing',
    swapped: 'manifest-torn',
  },
  'copy of a manifest': { ...all('manifest-copy-damaged'), deleted: 'manifest-copy-missing' },
  'RESTORE.md': { ...all('companion-damaged'), deleted: 'companion-missing' },
  // Both backups have the same one.
  'restore.sh': { ...all('companion-damaged'), deleted: 'companion-missing', swapped: undefined },
};

function all(finding: string): Record<Damage, string> {
  return { flipped: finding, cut: finding, emptied: finding, deleted: finding, swapped: finding };
}

function piece(kind: 'listing' | 'inventory'): Record<Damage, string> {
  return { ...all(`${kind}-damaged`), deleted: `${kind}-missing` };
}

const sealedKeys: GivenKeys = { namingKey: GOLDEN_KEYS.namingKey, identities: [GOLDEN_KEYS.identity] };

describe.each([
  ['plain', {}],
  ['sealed', sealedKeys],
  ['sealed, without an identity', { namingKey: GOLDEN_KEYS.namingKey }],
] as const)('in a %s repository', (which, keys: GivenKeys) => {
  let whole: ReadonlyMap<string, Buffer>;
  let sorted: Sorted;

  beforeAll(async () => {
    const backend = new MemoryBackend();
    const making =
      which === 'plain' ? {} : { ...sealedKeys, recipients: [await identityToRecipient(GOLDEN_KEYS.identity)] };
    const repo = await initOnBackend(backend, CLUSTER, making);
    // Enough files for listings and inventories of several pieces; some shrink.
    const files = Object.fromEntries(Array.from({ length: 240 }, (_, i) => [`f${i + 100}`, `content ${i + 100}`]));
    const large = { s1: 'shrinks '.repeat(200), s2: 'likewise'.repeat(200) };
    await backUp(repo, { ...files, ...large }, 'auto');
    await backUp(repo, { ...files, f150: 'another', s1: large.s1 }, 'auto');
    whole = new Map(backend.contents);
    sorted = await sort(backend, making);
  });

  async function damaged(damage: (contents: Map<string, Buffer>) => void): Promise<Repository> {
    const backend = new MemoryBackend();
    for (const [key, bytes] of whole) backend.contents.set(key, Buffer.from(bytes));
    damage(backend.contents);
    return openOnBackend(backend, keys);
  }

  test('nothing is found where nothing is damaged, and each kind of file is there', async () => {
    expect(await (await damaged(() => {})).verify({ level: 'data' })).toMatchObject({ ok: true });
    for (const kind of KINDS) expect({ kind, there: sorted.keys(kind).length > 0 }).toEqual({ kind, there: true });
  });

  const cases = KINDS.flatMap((kind) => DAMAGES.map((damage) => [kind, damage] as const));
  test.each(cases)('a %s that is %s is named, with the backups that it hits and no others', async (kind, damage) => {
    const finding = FINDINGS[kind][damage];
    for (const [key, other] of pairs(sorted.keys(kind), damage)) {
      const repo = await damaged((contents) => HARM[damage](contents, key, other));
      const report = await repo.verify({ level: 'data' });
      const hit = damage === 'swapped' ? [key, other] : [key];
      const wanted = hit.map((k) => ({ kind: finding, key: k, backups: sorted.backups(k) }));
      const found = report.findings.map(({ kind: k, key: at, backups }) => ({ kind: k, key: at, backups }));
      expect(found.sort(byKey)).toEqual(finding === undefined ? [] : wanted.sort(byKey));
      expect(report.ok).toBe(finding === undefined);
    }
  });

  test.each(['flipped', 'cut', 'emptied', 'deleted'] as const)(
    'skep.json that is %s is told at once',
    async (damage) => {
      await expect(damaged((contents) => HARM[damage](contents, 'skep.json', ''))).rejects.toMatchObject({
        code: 'repository-damaged',
        exitCode: 4,
      });
    },
  );
});

const HARM: Record<Damage, (contents: Map<string, Buffer>, key: string, other: string) => void> = {
  flipped: (contents, key) => {
    const bytes = contents.get(key) as Buffer;
    bytes[bytes.length >> 1]! ^= 0x10;
  },
  cut: (contents, key) => void contents.set(key, contents.get(key)!.subarray(0, contents.get(key)!.length >> 1)),
  emptied: (contents, key) => void contents.set(key, Buffer.alloc(0)),
  deleted: (contents, key) => void contents.delete(key),
  swapped: (contents, key, other) => {
    const bytes = contents.get(key) as Buffer;
    contents.set(key, contents.get(other) as Buffer);
    contents.set(other, bytes);
  },
};

/** The first and the last of a kind, each with another to swap it with. */
function pairs(keys: readonly string[], damage: Damage): (readonly [string, string])[] {
  const [first, last] = [keys[0] as string, keys.at(-1) as string];
  return damage === 'swapped' ? [[first, last]] : [[first, ''], ...(first === last ? [] : [[last, ''] as const])];
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1;
}

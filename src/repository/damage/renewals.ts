import { z } from 'zod';
import type { InventoryEntry } from '../format/inventory-entry.ts';
import { renewalPrefix } from '../format/names.ts';
import { tryGet } from '../manifests.ts';
import type { Vault } from '../sealing/keyring.ts';

const renewalSchema = z.object({ size: z.number().int().nonnegative(), mac: z.string().optional() });

/** Stored bytes. */
export type Form = Pick<InventoryEntry, 'storedSize' | 'storedSha256'>;

/**
 * Notes that a damaged key was stored anew in these bytes, which differ from those that inventories of older backups
 * expect: every sealing, and every version of zstd, may give others for one content. May be repeated.
 */
export async function recordRenewal({ backend, keyring }: Vault, key: string, form: Form): Promise<void> {
  const mac = keyring.sealed ? { mac: keyring.mac(text(key, form)) } : {};
  const record = { size: form.storedSize, ...mac };
  await backend.put(`${renewalPrefix(key)}${form.storedSha256}`, Buffer.from(`${JSON.stringify(record)}\n`));
}

/**
 * The bytes in which a key was stored anew. In a sealed repository only those that a holder of the naming key has written,
 * where that key is known here.
 */
export async function renewalsOf({ backend, keyring }: Vault, key: string): Promise<Form[]> {
  const prefix = renewalPrefix(key);
  const forms: Form[] = [];
  for await (const found of backend.list(prefix)) {
    const record = parse(await tryGet(backend, found.key));
    if (record === undefined) continue;
    const form = { storedSize: record.size, storedSha256: found.key.slice(prefix.length) };
    const genuine = keyring.namingKey === undefined || record.mac === keyring.mac(text(key, form));
    if (genuine) forms.push(form);
  }
  return forms;
}

function text(key: string, { storedSize, storedSha256 }: Form): string {
  return `renewed ${key} ${storedSize} ${storedSha256}`;
}

function parse(bytes: Buffer | undefined): z.output<typeof renewalSchema> | undefined {
  try {
    return renewalSchema.safeParse(JSON.parse(bytes?.toString('utf8') ?? '')).data;
  } catch {
    return undefined;
  }
}

import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { decodeDescriptor } from './format/descriptor.ts';
import { DESCRIPTOR_COPY_KEY, DESCRIPTOR_KEY } from './format/names.ts';
import { getOrEmpty } from './manifests.ts';

/**
 * Writes the copy of `skep.json` where it is missing or differs. Nothing fails for want of it: whoever writes next tries
 * again. `skep.json` must be whole.
 */
export async function keepDescriptorCopy(backend: Backend): Promise<void> {
  try {
    const [bytes, copy] = [await backend.get(DESCRIPTOR_KEY), await getOrEmpty(backend, DESCRIPTOR_COPY_KEY)];
    if (copy?.equals(bytes)) return;
    decodeDescriptor(bytes);
    if (copy !== undefined) await backend.delete(DESCRIPTOR_COPY_KEY);
    await backend.put(DESCRIPTOR_COPY_KEY, bytes);
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
  }
}

/** How `skep.json` comes back, where its copy is whole. Nothing else has its id: that of another repository is of no use. */
export async function descriptorHint(backend: Backend): Promise<{ hint?: string }> {
  const copy = await getOrEmpty(backend, DESCRIPTOR_COPY_KEY);
  if (copy === undefined) return {};
  try {
    decodeDescriptor(copy);
  } catch {
    return {};
  }
  const isFile = (await getOrEmpty(backend, DESCRIPTOR_KEY))?.length !== 0;
  const away = isFile ? '' : `mv ${DESCRIPTOR_KEY} ${DESCRIPTOR_KEY}.damaged; `;
  return {
    hint: `Its copy is whole: in the repository run \`${away}cp -f ${DESCRIPTOR_COPY_KEY} ${DESCRIPTOR_KEY}\`, then \`skep verify\`.`,
  };
}

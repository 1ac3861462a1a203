import type { z } from 'zod';
import { type Search, statusOf } from './client.ts';

type Json = z.core.util.JSONType;

/** The kinds of templates, in the order in which they can be made: one is composed of others. */
const PATHS = { component: '_component_template', index: '_index_template', legacy: '_template' } as const;
type Kind = keyof typeof PATHS;

interface RawIndex {
  name: string;
  aliases: Record<string, Json>;
}

/**
 * The names by which a template can apply to indices of TheHive: those of the indices and their aliases, and what the
 * patterns of the configuration begin with, for the index that a rollover makes next or where there is none yet.
 */
export function namesOf(patterns: readonly string[], indices: readonly RawIndex[]): string[] {
  const beginnings = patterns.flatMap((p) => p.split(',')).map((p) => p.replace(/\*.*$/, ''));
  const names = indices.flatMap((i) => [i.name, ...Object.keys(i.aliases)]);
  return [...new Set([...names, ...beginnings.flatMap((b) => (b === '' ? [] : [b, `${b.replace(/-$/, '')}-000001`]))])];
}

/** Whether an index pattern, whose only wildcard is `*`, matches a name. */
export function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

/** The templates that apply to any of these names, however broad their patterns, and what they are composed of. */
export async function readTemplates(search: Search, names: readonly string[]): Promise<Record<string, Json>> {
  const applies = (patterns: readonly string[]) => patterns.some((p) => names.some((name) => matches(p, name)));
  const out: Record<string, Json> = {};
  const { index_templates } = await search.request<{
    index_templates: { name: string; index_template: { index_patterns: string[]; composed_of?: string[] } }[];
  }>('GET', '/_index_template');
  for (const t of index_templates) {
    if (!applies(t.index_template.index_patterns)) continue;
    out[`index:${t.name}`] = t.index_template;
    for (const part of t.index_template.composed_of ?? []) {
      const body = await readComponent(search, part);
      if (body !== undefined) out[`component:${part}`] = body;
    }
  }
  const legacy = await search.request<Record<string, { index_patterns: string[] }>>('GET', '/_template');
  for (const [name, t] of Object.entries(legacy)) {
    if (applies(t.index_patterns)) out[`legacy:${name}`] = t as Json;
  }
  return out;
}

/** A component template; undefined where there is none, which an index template may allow. */
async function readComponent(search: Search, name: string): Promise<Json | undefined> {
  try {
    const { component_templates } = await search.request<{ component_templates: { component_template: Json }[] }>(
      'GET',
      `/_component_template/${encodeURIComponent(name)}`,
    );
    return component_templates[0]?.component_template;
  } catch (e) {
    if (statusOf(e) === 404) return undefined;
    throw e;
  }
}

/** Makes templates as `readTemplates` gave them; may be repeated. */
export async function putTemplates(search: Search, templates: Readonly<Record<string, Json>>): Promise<void> {
  for (const kind of Object.keys(PATHS) as Kind[]) {
    for (const [key, template] of Object.entries(templates)) {
      if (!key.startsWith(`${kind}:`)) continue;
      const name = encodeURIComponent(key.slice(kind.length + 1));
      await search.request('PUT', `/${PATHS[kind]}/${name}`, { body: template });
    }
  }
}

import { describe, expect, test } from 'vitest';
import { matches, namesOf, putTemplates, readTemplates } from '../../../../src/drivers/elasticsearch/templates.ts';
import { fakeSearch, status } from './fake-search.ts';

const AUDITS = { name: 'thehive-audits-000007', aliases: { 'thehive-audits': {}, trail: {} } };

/** A cluster with these patterns of index templates and of legacy templates, by their names. */
function cluster(
  index: Record<string, { patterns: string[]; of?: string[] }>,
  legacy: Record<string, string[]> = {},
  components: string[] = [],
) {
  return fakeSearch(({ path }) => {
    if (path === '/_template') {
      return Object.fromEntries(Object.entries(legacy).map(([name, p]) => [name, { order: 0, index_patterns: p }]));
    }
    const component = /^\/_component_template\/(.*)$/.exec(path)?.[1];
    if (component !== undefined) {
      if (!components.includes(component)) throw status(404);
      return { component_templates: [{ name: component, component_template: { template: {} } }] };
    }
    return {
      index_templates: Object.entries(index).map(([name, t]) => ({
        name,
        index_template: { index_patterns: t.patterns, ...(t.of ? { composed_of: t.of } : {}) },
      })),
    };
  });
}

describe('templates that shape the next index of TheHive', () => {
  test('are those whose pattern matches an index or alias, however broad it is, and no other', async () => {
    const search = cluster({
      audits: { patterns: ['thehive-audits-*'] },
      broad: { patterns: ['logs-*', 'thehive*'] },
      all: { patterns: ['*'] },
      'by-alias': { patterns: ['tr*l'] },
      foreign: { patterns: ['thehive2-*', 'hive*', '*-audit'] },
      dots: { patterns: ['thehive.audits-*'] },
    });
    const found = await readTemplates(search, namesOf(['thehive_*', 'thehive-audits*'], [AUDITS]));
    expect(Object.keys(found)).toEqual(['index:audits', 'index:broad', 'index:all', 'index:by-alias']);
    const without = await readTemplates(search, namesOf(['thehive_*'], []));
    expect(Object.keys(without)).toEqual(['index:broad', 'index:all']);
  });

  test('are found where no index is there yet, by what the configured pattern begins with', async () => {
    const search = cluster({ audits: { patterns: ['thehive-audits-*'] }, foreign: { patterns: ['cortex-*'] } });
    const found = await readTemplates(search, namesOf(['thehive-audits*'], []));
    expect(Object.keys(found)).toEqual(['index:audits']);
  });

  test('bring what they are composed of, and legacy ones count too', async () => {
    const search = cluster(
      { audits: { patterns: ['thehive-*'], of: ['shards', 'absent'] } },
      { old: ['the*'], no: ['x*'] },
      ['shards'],
    );
    const found = await readTemplates(search, namesOf(['thehive-audits*'], [AUDITS]));
    expect(Object.keys(found).sort()).toEqual(['component:shards', 'index:audits', 'legacy:old']);
  });

  test('are made again with their parts first', async () => {
    const search = fakeSearch(() => ({}));
    await putTemplates(search, { 'index:a/b': { x: 1 }, 'legacy:old': {}, 'component:part': {} });
    expect(search.asked.map((a) => `${a.method} ${a.path}`)).toEqual([
      'PUT /_component_template/part',
      'PUT /_index_template/a%2Fb',
      'PUT /_template/old',
    ]);
    expect(search.asked[1]?.body).toEqual({ x: 1 });
  });

  test.each([
    ['*', 'anything', true],
    ['thehive_*', 'thehive_global', true],
    ['thehive_*', 'thehive-audits', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c', false],
    ['a.c', 'abc', false],
    ['exact', 'exactly', false],
  ])('%s matches %s: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });
});

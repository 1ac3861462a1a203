import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { SkepError } from '../../../src/errors.ts';
import { detailsSchema, parseDetails } from '../../../src/run/details.ts';
import { details } from '../../contract/cli/support/repository.ts';

/** Every path to a value in a piece of JSON, outermost first. */
function pathsOf(value: unknown, at: string[] = []): string[][] {
  if (value === null || typeof value !== 'object') return [at];
  return [at, ...Object.entries(value).flatMap(([k, v]) => pathsOf(v, [...at, k]))];
}

function replaced(value: unknown, [key, ...rest]: string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

describe('the details of a manifest', () => {
  test('come back through JSON as they were written', () => {
    expect(parseDetails(JSON.parse(JSON.stringify(details())), 'b1')).toEqual(details());
  });

  test('lack nothing: each key that is gone is damage, and named', () => {
    for (const key of Object.keys(details())) {
      const { [key]: _, ...rest } = details() as unknown as Record<string, unknown>;
      expect(() => parseDetails(rest, 'b1')).toThrow(
        expect.objectContaining({
          code: 'manifest-damaged',
          exitCode: 4,
          message: expect.stringContaining(`b1: details.${key}`),
        }),
      );
    }
  });

  test('with garbage anywhere are taken whole or refused with a type', () => {
    const places = pathsOf(details());
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue(), (place, garbage) => {
        try {
          parseDetails(replaced(details(), place, garbage), 'b1');
        } catch (e) {
          expect(e).toBeInstanceOf(SkepError);
          expect((e as SkepError).code).toBe('manifest-damaged');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('that are something else altogether are refused', () => {
    for (const raw of [null, undefined, 1, 'x', [], {}]) {
      expect(() => parseDetails(raw, 'b1')).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
    }
  });

  test('with a T that is no number of microseconds are refused', () => {
    for (const T of ['', 'soon', '1.5', '-1', '1e6']) {
      expect(() => parseDetails(replaced(details(), ['cut', 'T'], T), 'b1')).toThrow(
        expect.objectContaining({ code: 'manifest-damaged', message: expect.stringContaining('cut.T') }),
      );
    }
  });
});

/** Paths of all members that the schema names: `cut.clocks[].node`, `cut.truncated{}`. */
function membersOf(schema: JsonSchema, at = ''): string[] {
  if (schema.type === 'array' && schema.items) return membersOf(schema.items, `${at}[]`);
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, below]) =>
    membersOf(below, at === '' ? name : `${at}.${name}`),
  );
  const values = schema.additionalProperties;
  if (named.length > 0) return named;
  return values && typeof values === 'object' && schema.type === 'object' ? membersOf(values, `${at}{}`) : [at];
}

interface JsonSchema {
  type?: string;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
}

test('every member of the details is specified', async () => {
  const page = await readFile(new URL('../../../docs/repository-format.md', import.meta.url), 'utf8');
  const chapter = page.slice(page.indexOf('### 5.3 Details'), page.indexOf('## 6. '));
  const rows = chapter.split('\n').filter((line) => line.startsWith('| `'));
  const members = membersOf(z.toJSONSchema(detailsSchema) as JsonSchema);
  expect(members.length).toBeGreaterThan(60);
  const lacking = members
    .map((member) => member.replace('search.audits[]', 'search.indices[]'))
    .filter((member) => !rows.some((row) => tells(row, member)));
  expect(lacking).toEqual([]);
});

/** A row names a member whole, or what it is in and then its own name. */
function tells(row: string, member: string): boolean {
  const [head = '', ...rest] = row.split(' | ');
  const bare = member.replace(/(\[\]|\{\})+$/, '');
  const names = [...head.matchAll(/`([^`]+)`/g)].map(([, name]) => name?.replace(/(\[\]|\{\})+$/, ''));
  if (names.includes(bare)) return true;
  const [parent, own] = [bare.slice(0, bare.lastIndexOf('.')), bare.slice(bare.lastIndexOf('.') + 1)];
  return names.includes(parent.replace(/(\[\]|\{\})+$/, '')) && rest.join(' ').includes(`\`${own}\``);
}

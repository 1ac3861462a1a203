import { describe, expect, test } from 'vitest';
import { deserializeError, type ErrorCode, ERRORS, SkepError, toSkepError } from '../../src/errors.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];

describe('the table of errors', () => {
  test('has an exit code that is documented, and a hint that is a sentence, for every code', () => {
    for (const code of codes) {
      expect([1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 130, 143]).toContain(ERRORS[code].exit);
      expect(ERRORS[code].hint).toMatch(/^([A-Z]|skep ).*\.$/s);
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    }
  });
});

describe('an error', () => {
  test('comes through JSON as it was', () => {
    const e = new SkepError('no-space', 'full', {
      context: { path: '/x' },
      retryable: true,
      cause: new TypeError('inner'),
    });
    const back = deserializeError(JSON.parse(JSON.stringify(e)) as ReturnType<SkepError['toJSON']>);
    expect(back).toMatchObject({
      code: 'no-space',
      message: 'full',
      hint: e.hint,
      context: { path: '/x' },
      retryable: true,
      exitCode: 13,
    });
    expect(back.cause).toBe('TypeError: inner');
    expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(e)));
  });

  test('of a code that this skep does not know is internal, never an exit code of nothing', () => {
    for (const code of ['new-code', 'toString', 'constructor', 'hasOwnProperty']) {
      const e = deserializeError({ code: code as ErrorCode, message: 'm', hint: 'h', retryable: false, context: {} });
      expect({ code: e.code, exitCode: e.exitCode }).toEqual({ code: 'internal', exitCode: 1 });
    }
  });

  test('of any kind becomes one with a code; a typed one stays what it is', () => {
    const typed = new SkepError('locked', 'm');
    expect(toSkepError(typed, 'usage')).toBe(typed);
    expect(toSkepError(new Error('boom'), 'cql-failed')).toMatchObject({ code: 'cql-failed', message: 'boom' });
    expect(toSkepError('text')).toMatchObject({ code: 'internal', message: 'text' });
  });
});

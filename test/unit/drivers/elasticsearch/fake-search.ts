import { SkepError } from '../../../../src/errors.ts';
import type { Search } from '../../../../src/drivers/elasticsearch/client.ts';

export interface Asked {
  method: string;
  path: string;
  query?: Record<string, unknown>;
  body?: unknown;
  ndjson?: unknown[];
}

/** A Search whose answers a function gives; what was asked is kept. */
export function fakeSearch(answer: (asked: Asked, n: number) => unknown): Search & { asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    async request(method, path, o = {}) {
      const one = { method, path, ...o } as Asked;
      asked.push(one);
      return answer(one, asked.length) as never;
    },
    close: async () => {},
  };
}

/** An answer with an HTTP status that is none of success, as the client gives it. */
export function status(code: number): SkepError {
  return new SkepError('elasticsearch-failed', `answered ${code}`, { context: { status: code } });
}

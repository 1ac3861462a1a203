import { SkepError } from '../errors.ts';

/** How a value of a type lies in the log: `fixed` bytes, or a vint length first (-1); `complex`: cells of its own. */
export interface ValueShape {
  fixed: number;
  complex: boolean;
}

const VARIABLE = -1;
/** Cassandra's `valueLengthIfFixed`. The other native types have a length, small integers, dates and times too. */
const FIXED: Record<string, number> = {
  boolean: 1,
  int: 4,
  float: 4,
  bigint: 8,
  double: 8,
  timestamp: 8,
  uuid: 16,
  timeuuid: 16,
  empty: 0,
};
const NATIVE_VARIABLE = new Set(
  'ascii blob counter date decimal duration inet smallint text time tinyint varchar varint'.split(' '),
);
const CUSTOM_FIXED: Record<string, number> = { LexicalUUIDType: 16, DateType: 8, EmptyType: 0 };
const CUSTOM_VARIABLE = new Set(['CompositeType', 'DynamicCompositeType', 'BytesType', 'AsciiType', 'UTF8Type']);
const TOKEN = /\s*("(?:[^"]|"")*"|'[^']*'|[\w.]+|[<>,])/y;

/**
 * The shape of a value of a type as `system_schema` spells it (`frozen<map<text, int>>`, `vector<float, 3>`).
 * `userTypes` are the names of the keyspace's types. Error: `segment-unsupported` for a type that is not known.
 */
export function valueShape(text: string, userTypes: ReadonlySet<string>): ValueShape {
  const tokens = tokenize(text);
  const parser = { tokens, at: 0, userTypes, text };
  const shape = parse(parser);
  if (parser.at !== tokens.length) throw unknown(text);
  return shape;
}

interface Parser {
  tokens: string[];
  at: number;
  userTypes: ReadonlySet<string>;
  text: string;
}

function parse(p: Parser): ValueShape {
  const word = p.tokens[p.at++] ?? '';
  if (word.startsWith("'")) return customShape(word.slice(1, -1), p);
  if (word.startsWith('"')) return userShape(word.slice(1, -1).replaceAll('""', '"'), p);
  switch (word) {
    case 'frozen':
      return { fixed: argumentsOf(p)[0]!.fixed, complex: false };
    case 'list':
    case 'set':
    case 'map':
      argumentsOf(p);
      return { fixed: VARIABLE, complex: true };
    case 'tuple':
      argumentsOf(p);
      return { fixed: VARIABLE, complex: false };
    case 'vector':
      return vectorShape(p);
    default:
      if (Object.hasOwn(FIXED, word)) return { fixed: FIXED[word]!, complex: false };
      if (NATIVE_VARIABLE.has(word)) return { fixed: VARIABLE, complex: false };
      return userShape(word, p);
  }
}

function argumentsOf(p: Parser): ValueShape[] {
  expect(p, '<');
  const found = [parse(p)];
  while (p.tokens[p.at] === ',') {
    p.at++;
    found.push(parse(p));
  }
  expect(p, '>');
  return found;
}

function vectorShape(p: Parser): ValueShape {
  expect(p, '<');
  const element = parse(p);
  expect(p, ',');
  const dimension = Number(p.tokens[p.at++]);
  expect(p, '>');
  if (!Number.isSafeInteger(dimension) || dimension < 1) throw unknown(p.text);
  return { fixed: element.fixed < 0 ? VARIABLE : element.fixed * dimension, complex: false };
}

function userShape(name: string, p: Parser): ValueShape {
  if (!p.userTypes.has(name)) throw unknown(p.text);
  return { fixed: VARIABLE, complex: true };
}

function customShape(className: string, p: Parser): ValueShape {
  const short = /^org\.apache\.cassandra\.db\.marshal\.(\w+)/.exec(className)?.[1] ?? '';
  if (Object.hasOwn(CUSTOM_FIXED, short)) return { fixed: CUSTOM_FIXED[short]!, complex: false };
  if (CUSTOM_VARIABLE.has(short)) return { fixed: VARIABLE, complex: false };
  throw unknown(p.text);
}

function expect(p: Parser, token: string): void {
  if (p.tokens[p.at++] !== token) throw unknown(p.text);
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) throw unknown(text);
    tokens.push(match[1]!);
  }
  return tokens;
}

function unknown(text: string): SkepError {
  return new SkepError('segment-unsupported', `column type ${text} is not known`, {
    hint: 'skep cannot read commit logs with this type: move its table into a keyspace of its own.',
    context: { type: text },
  });
}

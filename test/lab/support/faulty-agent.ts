// An agent with one fault, named by its first argument; with two more, only where they are the same: `{node}` and a node's
// name. Tests put it into `agent.command` of a skep.yaml.
import { writeReplay } from '../../../src/cut/segment-evidence.ts';
import { ALL_PARTS } from '../../../src/commitlog/index.ts';
import { runAgent } from '../../../src/agent/run-agent.ts';
import { buildReplaySources } from '../../../src/agent/handlers/restore.ts';
import { params, type Pinned } from '../../../src/protocol/methods.ts';
import type { Handler } from '../../../src/protocol/peer.ts';

const [, , named, here, only] = process.argv;
const fault = here === only ? named : 'none';

/** For each fault, the methods that it changes. */
const FAULTS: Record<string, (m: Record<string, Handler>) => Record<string, Handler>> = {
  none: () => ({}),
  'no-replay': () => ({ 'restore.segments': async () => ({ evidence: {}, written: [] }) }),
  'row-deletions-overlooked': () => ({
    'restore.segments': async (raw, ctx) => {
      const p = params['restore.segments'].parse(raw);
      const segments = await buildReplaySources(p);
      return writeReplay(segments, { ...p, folder: p.to, parts: { ...ALL_PARTS, rowDeletions: false } }, ctx.signal);
    },
  }),
  'segment-missed': (m) => ({
    'pin.list': async (raw, ctx) => ({
      ...((await (m['pin.list'] as Handler)(raw, ctx)) as Pinned),
      missed: ['CommitLog-7-1.log'],
    }),
  }),
  'clock-ahead': (m) => ({
    'node.clock': async (raw, ctx) => {
      const { us } = (await (m['node.clock'] as Handler)(raw, ctx)) as { us: number };
      return { us: us + 3_000_000 };
    },
  }),
};

const change = FAULTS[fault ?? ''];
if (!change) throw new Error(`no fault is called ${fault}`);
await runAgent((m) => ({ ...m, ...change(m) }));

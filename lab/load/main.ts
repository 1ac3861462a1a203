// The load as a process: `node lab/load/main.ts --endpoints FILE --ledger DIR --seed S [--rate N] [--writers N]
// [--transactions N]` runs until a signal or the number of transactions; with `--control` the options come as the first line of
// stdin and commands as the next ones (load-process.ts).
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { endpointsSchema } from './endpoints.ts';
import { type LoadHandle, type LoadOptions, runLoad } from './load.ts';
import { commandSchema } from './load-process.ts';

const optionsSchema = z.object({
  endpoints: endpointsSchema,
  ledgerDir: z.string(),
  seed: z.string(),
  writers: z.number().int().positive().exactOptional(),
  rate: z.number().positive().exactOptional(),
  transactions: z.number().int().positive().exactOptional(),
  auditReplicas: z.number().int().exactOptional(),
  liveCases: z.number().int().exactOptional(),
  minFileAgeMs: z.number().exactOptional(),
  timeoutMs: z.number().exactOptional(),
});

const { values } = parseArgs({
  options: {
    control: { type: 'boolean', default: false },
    endpoints: { type: 'string' },
    ledger: { type: 'string' },
    seed: { type: 'string', default: 'load' },
    writers: { type: 'string' },
    rate: { type: 'string' },
    transactions: { type: 'string' },
    'audit-replicas': { type: 'string' },
  },
});

if (values.control) await runControlled();
else await runByHand();

async function runByHand(): Promise<void> {
  const number = (name: string, text: string | undefined): object =>
    text === undefined ? {} : { [name]: Number(text) };
  const options = optionsSchema.parse({
    endpoints: JSON.parse(await readFile(z.string().parse(values.endpoints), 'utf8')),
    ledgerDir: values.ledger,
    seed: values.seed,
    ...number('writers', values.writers),
    ...number('rate', values.rate),
    ...number('transactions', values.transactions),
    ...number('auditReplicas', values['audit-replicas']),
  });
  const handle = await runLoad(options);
  stopOnSignal(handle);
  await handle.ended;
  console.log(JSON.stringify(await handle.stop()));
}

async function runControlled(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const first = await lines.next();
  const options: LoadOptions = optionsSchema.parse(JSON.parse(z.string().parse(first.value)));
  const handle = await runLoad(options);
  stopOnSignal(handle);
  const say = (message: object): void => console.log(JSON.stringify(message));
  say({ event: 'started', run: handle.run, ledgerFile: handle.ledgerFile });
  // A ledger that cannot be written ends the process with an error, also while nobody asks.
  handle.ended.then(
    () => say({ event: 'ended' }),
    (e: unknown) => {
      console.error(e);
      process.exit(1);
    },
  );
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const command = commandSchema.parse(JSON.parse(next.value));
    if (command.do === 'rate') await handle.setRate(command.rate);
    const window = command.do === 'stats' ? withoutUndefined({ fromMs: command.fromMs, toMs: command.toMs }) : {};
    const stats = command.do === 'stop' ? await handle.stop() : await handle.stats(window);
    say({ event: 'answer', id: command.id, stats });
  }
  await handle.stop();
}

function withoutUndefined(window: { fromMs: number | undefined; toMs: number | undefined }): Record<string, number> {
  return Object.fromEntries(
    Object.entries(window).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

function stopOnSignal(handle: LoadHandle): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void handle.stop());
}

import { Command, InvalidArgumentError, Option } from 'commander';
import { SkepError, toSkepError } from '../src/errors.ts';
import { init, loadCluster } from '../src/index.ts';
import { Lab, openLab } from './clusters/lab.ts';
import { findRecord } from './clusters/record.ts';
import { removeLab } from './clusters/remove.ts';
import { labUp } from './clusters/up.ts';
import { labEndpoints } from './load/lab-endpoints.ts';
import { runLoad } from './load/load.ts';
import {
  CASSANDRA_VERSIONS,
  type CassandraVersion,
  ELASTICSEARCH_VERSIONS,
  LAB_SIZES,
  type LabPlace,
  type LabSize,
  layoutOf,
} from './layout.ts';
import type { ElasticsearchVersion } from './ground/elasticsearch-home.ts';

interface PlaceOptions extends LabPlace {
  json?: boolean;
}

interface UpOptions extends PlaceOptions {
  cassandra: CassandraVersion;
  elasticsearch: ElasticsearchVersion;
  nodes: LabSize;
}

interface LoadCommandOptions extends PlaceOptions {
  seed: string;
  writers: number;
  rate?: number;
  transactions?: number;
}

const EXAMPLES = `
Examples:
  skep lab up                         boot it; the last lines tell where skep.yaml is
  skep lab up --shift 1 --json        a second one beside it; its endpoints as JSON
  skep lab up --nodes 1               one machine with everything on it, without ssh
  skep lab load --transactions 200    write into it as TheHive does
  skep lab destroy                    lose everything, to have something to restore
  skep lab down                       no process and no file is left`;

/** Adds `lab up|status|load|destroy|down` to a program. */
export function registerLab(program: Command): Command {
  const lab = program
    .command('lab')
    .description('a real cluster on this machine, for trying, testing and demonstrating')
    .addHelpText('after', EXAMPLES);
  placed(
    lab
      .command('up')
      .description(
        'boot Cassandra, Elasticsearch, JanusGraph and sshd, and write a skep.yaml; its repository is made too',
      ),
  )
    .addOption(new Option('--cassandra <version>').choices(CASSANDRA_VERSIONS).default('4.1.10'))
    .addOption(new Option('--elasticsearch <version>').choices(ELASTICSEARCH_VERSIONS).default('8.19.0'))
    .option('--nodes <n>', '3, or 1: one machine with everything on it', labSize, LAB_SIZES[0])
    .action(up);
  placed(
    lab
      .command('load')
      .description('write as TheHive does, and keep a ledger of it, until Ctrl-C or a number of transactions'),
  )
    .option('--seed <text>', 'what the load is made from', 'load')
    .option('--writers <n>', 'how many write at once', wholeNumber, 8)
    .option('--rate <n>', 'transactions a second over all writers', wholeNumber)
    .option('--transactions <n>', 'stop after so many', wholeNumber)
    .action(load);
  placed(
    lab.command('destroy').description('total loss: keyspace, tables, commit logs, indices and attachments'),
  ).action(destroy);
  placed(lab.command('status').description('what runs, and how much memory it takes')).action(status);
  placed(lab.command('down').description('end every process of the lab and remove its folder')).action(down);
  return lab;
}

function placed(command: Command): Command {
  return command
    .option('--name <name>', 'name of the lab (default: lab, or lab-SHIFT)')
    .option('--root <folder>', 'folder of the lab')
    .option('--shift <n>', '0 to 99: moves addresses and ports, so that several labs can run', wholeNumber)
    .option('--json', 'print JSON on stdout; progress goes to stderr')
    .addHelpText('after', EXAMPLES);
}

async function up(options: UpOptions): Promise<void> {
  const { json, ...rest } = options;
  const running = await healthyLab(options);
  if (running !== undefined) process.stderr.write('this lab is up already; `skep lab down` ends it\n');
  const lab = running ?? (await interruptible((signal) => labUp({ ...rest, onProgress: progress(), signal })));
  const cluster = await loadCluster({ file: lab.config });
  await interruptible((signal) => init(cluster, { signal, emit: () => undefined }));
  if (json) printJson(lab.record);
  else process.stdout.write(`skep.yaml: ${lab.config}\nlab.json: ${lab.record.root}/lab.json\n`);
}

/** The lab that is up in that folder, when it is of those versions and that shift and all its services are ready. */
async function healthyLab(options: UpOptions): Promise<Lab | undefined> {
  const record = await findRecord(layoutOf(options).root);
  if (record === undefined) return undefined;
  const { cassandra, elasticsearch } = record.versions;
  if (cassandra !== options.cassandra || elasticsearch !== options.elasticsearch) return undefined;
  if (record.nodes.length !== options.nodes) return undefined;
  if (options.shift !== undefined && options.shift !== record.shift) return undefined;
  const lab = new Lab(record);
  const states = await Promise.all(lab.services().map((service) => service.state()));
  return states.every((state) => state === 'ready') ? lab : undefined;
}

async function status(options: PlaceOptions): Promise<void> {
  const lab = await openLab(options);
  const rows = await Promise.all(
    lab.services().map(async (service) => ({
      service: service.name,
      state: await service.state(),
      pid: (await service.pid()) ?? null,
      residentBytes: (await service.residentBytes()) ?? null,
    })),
  );
  if (options.json) printJson({ name: lab.record.name, root: lab.root, services: rows });
  else {
    for (const row of rows) {
      const memory = row.residentBytes === null ? '' : `${Math.round(row.residentBytes / 2 ** 20)} MiB`;
      process.stdout.write(
        `${row.service.padEnd(20)} ${row.state.padEnd(9)} ${String(row.pid ?? '').padEnd(8)} ${memory}\n`,
      );
    }
  }
  if (rows.some((row) => row.state !== 'ready')) process.exitCode = 1;
}

async function load(options: LoadCommandOptions): Promise<void> {
  const lab = await openLab(options);
  const { seed, writers, rate, transactions } = options;
  const endpoints = await labEndpoints(lab.record);
  const limits = { ...(rate === undefined ? {} : { rate }), ...(transactions === undefined ? {} : { transactions }) };
  const running = await runLoad({ endpoints, ledgerDir: lab.record.ledger, seed, writers, ...limits });
  process.stderr.write(`ledger: ${running.ledgerFile}\n`);
  // a signal ends the load in an orderly way; the figures are printed all the same
  await interruptible((signal) => Promise.race([running.ended, aborted(signal)]));
  const stats = await running.stop();
  if (options.json) printJson({ ledger: running.ledgerFile, ...stats });
  else process.stdout.write(`${stats.count} transactions, ${stats.failed} failed, p99 ${stats.p99Ms.toFixed(0)} ms\n`);
}

async function destroy(options: PlaceOptions): Promise<void> {
  const lab = await openLab(options);
  await interruptible((signal) => lab.destroy(signal));
  if (options.json) printJson({ root: lab.root, destroyed: true });
  else process.stdout.write('all data is lost; cassandra and elasticsearch are up, janusgraph is stopped\n');
}

async function down(options: PlaceOptions): Promise<void> {
  const { root } = layoutOf(options);
  const removed = await removeLab(root);
  if (options.json) printJson({ root, removed });
  else process.stdout.write(removed ? `removed ${root}\n` : `no lab in ${root}\n`);
}

/** Runs work under a signal that Ctrl-C or SIGTERM aborts. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort(new SkepError('cancelled', 'stopped by a signal'));
  const onTerminate = (): void => controller.abort(new SkepError('terminated', 'stopped by a signal'));
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function progress(): (line: string) => void {
  const from = Date.now();
  return (line) => void process.stderr.write(`${((Date.now() - from) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function labSize(text: string): LabSize {
  const size = LAB_SIZES.find((n) => String(n) === text);
  if (size === undefined) throw new InvalidArgumentError(`give one of ${LAB_SIZES.join(', ')}`);
  return size;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number');
  return Number(text);
}

if (import.meta.main) {
  const program = new Command('skep');
  registerLab(program);
  try {
    await program.parseAsync(['node', 'skep', 'lab', ...process.argv.slice(2)]);
  } catch (e) {
    const error: SkepError = toSkepError(e);
    process.stderr.write(`${error.code}: ${error.message}\n${error.hint}\n`);
    process.exitCode = error.exitCode;
  }
}

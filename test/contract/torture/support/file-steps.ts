/**
 * The seam between skep and the filesystem, for tests alone: every call of Node's own `fs` that changes what is below one
 * folder is a step that a test can see, count, refuse, cut short or die at. Node lets CommonJS exports of its modules be
 * replaced and copies them to the ESM ones (`syncBuiltinESMExports`): the product needs no code for this and cannot be
 * made to do it. Import this module before the product: `promisify(execFile)` is taken when a module is loaded.
 */
import type { execFile } from 'node:child_process';
import type * as NodeFs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

export type StepKind =
  'mkdir' | 'create' | 'write' | 'truncate' | 'sync' | 'sync-filesystem' | 'link' | 'rename' | 'delete' | 'delete-tree';

/** One durable step; paths are relative to the folder that is watched. */
export interface Step {
  kind: StepKind;
  path: string;
  /** Of a link or rename: the new name. */
  to?: string;
  /** Of a write. */
  bytes?: Buffer;
  /** Of a write; absent: at the end of the file. Of a truncate: the new size. */
  at?: number;
}

/** What a test does about steps. `half` does the first half of a write or of the deletion of a folder. */
export interface StepHook {
  /**
   * May throw what the call is to fail with. `short`: a single write writes less than it was asked to. `skip`: a sync
   * returns at once.
   */
  before?(step: Step, half: () => void): 'short' | 'skip' | undefined;
  after?(step: Step): void;
}

const require = createRequire(import.meta.url);
const fs = require('node:fs') as typeof NodeFs;
const promises = require('node:fs/promises') as typeof NodeFs.promises;
const childProcess = require('node:child_process') as { execFile: typeof execFile };
const original = { ...fs };

let watched: { root: string; hook: StepHook } | undefined;
/** Which file a descriptor is of; all are opened through the wrappers below. */
const openFiles = new Map<number, string>();

/** From here on the hook sees the steps below `root`; undefined ends that. */
export function watchSteps(root: string | undefined, hook: StepHook = {}): void {
  watched = root === undefined ? undefined : { root, hook };
}

type Args = any[];
type Run = (args: Args) => unknown;
/** What a call with these arguments does; undefined when it changes nothing below the folder. */
type Describe = (args: Args, self: unknown) => Step | undefined;

function inside(path: unknown): string | undefined {
  if (watched === undefined || typeof path !== 'string') return undefined;
  const below = relative(watched.root, path);
  return below.startsWith('..') ? undefined : below;
}

function ofPath(kind: StepKind, more: (args: Args) => Partial<Step> = () => ({})): Describe {
  return (args) => {
    const path = inside(args[0]);
    return path === undefined ? undefined : { kind, path, ...more(args) };
  };
}

function ofTwo(kind: 'link' | 'rename'): Describe {
  return (args) => {
    const [path, to] = [inside(args[0]), inside(args[1])];
    return path === undefined || to === undefined ? undefined : { kind, path, to };
  };
}

function ofFd(kind: StepKind, more: (args: Args) => Partial<Step> = () => ({})): Describe {
  return (args) => {
    const path = inside(openFiles.get(args[0] as number));
    return path === undefined ? undefined : { kind, path, ...more(args) };
  };
}

function ofHandle(kind: StepKind, more: (args: Args) => Partial<Step> = () => ({})): Describe {
  return (args, self) => {
    const path = inside(openFiles.get((self as { fd: number }).fd));
    return path === undefined ? undefined : { kind, path, ...more(args) };
  };
}

/** `write(fd, buffer, offset, length, position)`; a FileHandle's has no `fd`. */
function written(args: Args): Partial<Step> {
  const [bytes, offset, length, position] = args as [Buffer, number?, number?, number?];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const part = Buffer.from(view.subarray(offset ?? 0, (offset ?? 0) + (length ?? view.length - (offset ?? 0))));
  return typeof position === 'number' ? { bytes: part, at: position } : { bytes: part };
}

function shortened(args: Args, bytesAt: number): Args {
  const [bytes, offset = 0, length] = args.slice(bytesAt) as [Buffer, number?, number?];
  const asked = length ?? bytes.length - offset;
  return args.with(bytesAt + 2, Math.max(1, asked >> 1));
}

const makes = (flags: unknown): boolean =>
  typeof flags === 'string' ? /[wa]/.test(flags) : typeof flags === 'number' && (flags & fs.constants.O_CREAT) !== 0;
const ofOpen: Describe = (args) => {
  const path = inside(args[0]);
  return path === undefined || !makes(args[1]) || fs.existsSync(args[0] as string)
    ? undefined
    : { kind: 'create', path };
};
const ofNewFolder: Describe = (args) => {
  const path = inside(args[0]);
  return path === undefined || original.existsSync(args[0] as string) ? undefined : { kind: 'mkdir', path };
};
const ofRm: Describe = (args) => {
  const path = inside(args[0]);
  if (path === undefined || !original.existsSync(args[0] as string)) return undefined;
  return { kind: original.statSync(args[0] as string).isDirectory() ? 'delete-tree' : 'delete', path };
};
const data = (args: Args): Partial<Step> => ({ bytes: Buffer.from(args[1] as Uint8Array) });
const handleData = (args: Args): Partial<Step> => ({ bytes: Buffer.from(args[0] as Uint8Array) });

function doHalf(step: Step): void {
  const path = join(watched?.root ?? '', step.path);
  if (step.kind === 'delete-tree') {
    const [first] = original.readdirSync(path, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    if (first !== undefined) original.unlinkSync(join(first.parentPath, first.name));
  }
  if (step.kind !== 'write' || step.bytes === undefined) return;
  const fd = original.openSync(path, step.at === undefined ? 'a' : 'r+', 0o640);
  original.writeSync(fd, step.bytes, 0, step.bytes.length >> 1, step.at ?? null);
  original.closeSync(fd);
}

function before(step: Step): 'short' | 'skip' | undefined {
  return watched?.hook.before?.(step, () => doHalf(step));
}

function skips(step: Step, verdict: 'short' | 'skip' | undefined): boolean {
  return verdict === 'skip' && step.kind === 'sync';
}

function after(step: Step): void {
  watched?.hook.after?.(step);
}

/** Of a call that can write less than it was asked to: where its buffer is among the arguments. */
interface Shape {
  bytesAt?: number;
}

function wrapSync(name: string, describe: Describe, shape: Shape = {}): void {
  const run = (original as unknown as Record<string, Run>)[name] as unknown as (...args: Args) => unknown;
  (fs as unknown as Record<string, unknown>)[name] = (...args: Args) => {
    const step = describe(args, undefined);
    if (step === undefined) return run(...args);
    const verdict = before(step);
    if (verdict === 'short' && shape.bytesAt !== undefined) {
      const less = shortened(args, shape.bytesAt);
      Object.assign(step, written(less.slice(1)));
      args = less;
    }
    const result = skips(step, verdict) ? undefined : run(...args);
    after(step);
    return result;
  };
}

function wrapCallback(name: string, describe: Describe, shape: Shape = {}): void {
  const run = (original as unknown as Record<string, Run>)[name] as unknown as (...args: Args) => unknown;
  (fs as unknown as Record<string, unknown>)[name] = (...args: Args) => {
    const callback = args.at(-1) as (error: unknown, ...results: unknown[]) => void;
    const step = describe(args.slice(0, -1), undefined);
    if (step === undefined) return run(...args);
    try {
      if (before(step) === 'short' && shape.bytesAt !== undefined) {
        args = shortened(args, shape.bytesAt);
        Object.assign(step, written(args.slice(1, -1)));
      }
    } catch (error) {
      process.nextTick(callback, error);
      return undefined;
    }
    return run(...args.slice(0, -1), (error: unknown, ...results: unknown[]) => {
      if (!error) after(step);
      callback(error, ...results);
    });
  };
}

function wrapPromise(target: object, name: string, describe: Describe): void {
  const methods = target as Record<string, (...args: Args) => Promise<unknown>>;
  const run = methods[name] as (...args: Args) => Promise<unknown>;
  methods[name] = async function wrapped(this: unknown, ...args: Args) {
    const step = describe(args, this);
    if (step === undefined) return run.apply(this, args);
    const result = skips(step, before(step)) ? undefined : await run.apply(this, args);
    after(step);
    return result;
  };
}

function noteOpen(result: unknown, path: unknown): void {
  const fd = typeof result === 'number' ? result : (result as { fd: number }).fd;
  if (typeof path === 'string') openFiles.set(fd, path);
  else openFiles.delete(fd);
}

async function install(): Promise<void> {
  wrapSync('mkdirSync', ofNewFolder);
  wrapSync('linkSync', ofTwo('link'));
  wrapSync('renameSync', ofTwo('rename'));
  wrapSync('unlinkSync', ofPath('delete'));
  wrapSync('rmdirSync', ofPath('delete'));
  wrapSync('rmSync', ofRm);
  wrapSync(
    'writeSync',
    ofFd('write', (args) => written(args.slice(1))),
    { bytesAt: 1 },
  );
  wrapSync(
    'truncateSync',
    ofPath('truncate', (args) => ({ at: (args[1] as number | undefined) ?? 0 })),
  );
  wrapSync(
    'ftruncateSync',
    ofFd('truncate', (args) => ({ at: (args[1] as number | undefined) ?? 0 })),
  );
  wrapSync('fsyncSync', ofFd('sync'));
  wrapSync('fdatasyncSync', ofFd('sync'));
  wrapCallback(
    'write',
    ofFd('write', (args) => written(args.slice(1))),
    { bytesAt: 1 },
  );
  wrapCallback('fsync', ofFd('sync'));
  wrapCallback('fdatasync', ofFd('sync'));
  wrapSync('openSync', ofOpen);
  const { openSync } = fs;
  fs.openSync = (...args: Parameters<typeof openSync>) => {
    const fd = openSync(...args);
    noteOpen(fd, args[0]);
    return fd;
  };

  wrapPromise(promises, 'mkdir', ofNewFolder);
  wrapPromise(promises, 'link', ofTwo('link'));
  wrapPromise(promises, 'rename', ofTwo('rename'));
  wrapPromise(promises, 'unlink', ofPath('delete'));
  wrapPromise(promises, 'rmdir', ofPath('delete'));
  wrapPromise(promises, 'appendFile', ofPath('write', data));
  wrapPromise(promises, 'rm', ofRm);
  wrapPromise(promises, 'open', ofOpen);
  const { open } = promises;
  promises.open = async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    noteOpen(handle, args[0]);
    return handle;
  };
  const handle = await original.promises.open(import.meta.filename, 'r');
  const prototype = Object.getPrototypeOf(handle) as object;
  await handle.close();
  wrapPromise(prototype, 'write', ofHandle('write', written));
  wrapPromise(prototype, 'writeFile', ofHandle('write', handleData));
  wrapPromise(prototype, 'appendFile', ofHandle('write', handleData));
  wrapPromise(
    prototype,
    'truncate',
    ofHandle('truncate', (args) => ({ at: (args[0] as number | undefined) ?? 0 })),
  );
  wrapPromise(prototype, 'sync', ofHandle('sync'));
  wrapPromise(prototype, 'datasync', ofHandle('sync'));
  wrapSyncProgram();
  syncBuiltinESMExports();
}

/** `sync -f FOLDER`, the one program that changes what is durable. */
function wrapSyncProgram(): void {
  const plain = childProcess.execFile;
  const asPromise = promisify(plain);
  const wrapped = (...args: Parameters<typeof plain>): unknown => plain(...args);
  Object.defineProperty(wrapped, promisify.custom, {
    value: async (file: string, args: string[], options: object = {}) => {
      const path = file === 'sync' ? inside(args.at(-1)) : undefined;
      const step: Step | undefined = path === undefined ? undefined : { kind: 'sync-filesystem', path };
      if (step !== undefined && before(step) === 'skip') {
        after(step);
        return { stdout: '', stderr: '' };
      }
      const result: unknown = await asPromise(file, args, options);
      if (step !== undefined) after(step);
      return result;
    },
  });
  childProcess.execFile = wrapped as typeof plain;
}

await install();

// The first thing that the single executable runs. skep itself is one of its assets: compiled by V8 once, kept in the user's
// cache folder and taken from there, for compiling takes longer than all that a short command does. An executable with
// V8's code in it would start as fast, but be another file at each build.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { getAsset } from 'node:sea';
import { constants, Script } from 'node:vm';
import { cacheFolder } from '../compiled-code.ts';
import type { main } from './main.ts';

const FORM = 'binary-';

const source = getAsset('skep.js', 'utf8');
// V8 compares no more of a source than its length.
const hash = createHash('sha256').update(source).update(process.version).digest('hex');
const folder = path.join(cacheFolder(), 'code');
const file = path.join(folder, FORM + hash);
const kept = read(file);
const script = new Script(`(function (exports, require, module) {${source}\n})`, {
  filename: 'skep.js',
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  ...(kept ? { cachedData: kept } : {}),
});
if (!kept || script.cachedDataRejected) process.once('exit', keep);
const skep: { exports: { main?: typeof main } } = { exports: {} };
script.runInThisContext()(skep.exports, createRequire(process.execPath), skep);
void skep.exports.main?.();

/** At the end, when what the command needed is compiled. Whatever fails here costs the next start some time, no more. */
function keep(): void {
  const part = path.join(folder, randomUUID());
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(part, script.createCachedData(), { mode: 0o600 });
    renameSync(part, file);
    // of versions that are gone
    for (const name of readdirSync(folder)) {
      if (name.startsWith(FORM) && name !== FORM + hash) rmSync(path.join(folder, name), { force: true });
    }
  } catch {
    removeIfThere(part);
  }
}

/** A home that belongs to somebody else, as after `sudo` without `-H`, cannot even be looked into. */
function removeIfThere(name: string): void {
  try {
    rmSync(name, { force: true });
  } catch {
    // it was never written
  }
}

function read(name: string): Buffer | undefined {
  try {
    return readFileSync(name);
  } catch {
    return undefined;
  }
}

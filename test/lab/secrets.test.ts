import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lab } from '../../lab/index.ts';
import { STEADY_RATE, Trial } from '../../lab/scenarios/trial.ts';
import { type AttachmentBucket, bootBucket } from './support/bucket.ts';
import { configVariant } from './support/config-variant.ts';
import { sharedLab } from './support/labs.ts';
import { SecretWatch } from './support/secret-watch.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const WRONG = `wrong-${randomBytes(12).toString('hex')}`;

let lab: Lab;
let config: string;
let state: string;
let repository: string;
let watch: SecretWatch;
let bucket: AttachmentBucket;

beforeAll(async () => {
  lab = await sharedLab();
  state = path.join(lab.root, 'skep-state');
  repository = path.join(lab.record.repository, 'watched');
  const identity = await generateX25519Identity();
  const [identityFile, namingKeyFile] = [path.join(lab.root, 'identity'), path.join(lab.root, 'naming-key')];
  const namingKey = randomBytes(32).toString('hex');
  await writeFile(identityFile, `${identity}\n`, { mode: 0o600 });
  await writeFile(namingKeyFile, `${namingKey}\n`, { mode: 0o600 });
  const sealing = {
    recipients: [await identityToRecipient(identity)],
    naming_key: { file: namingKeyFile },
    identity: { file: identityFile },
  };
  bucket = await bootBucket(lab);
  const place = [['repository'], { location: repository, sealing }] as const;
  config = await configVariant(lab, 'watched', [place, ...bucket.changes]);
  const more = {
    'the identity': identity,
    'the naming key': namingKey,
    'the key of the bucket': bucket.attachmentsS3.secretKey,
    'a wrong password': WRONG,
  };
  watch = await SecretWatch.of(lab, more);
  watch.watchProcesses();
});
afterAll(async () => {
  watch?.stop();
  await bucket?.server.down();
});

/** What takes minutes. */
const IS_LONG = /^(?:backup|restore .*--yes)/;

/** All that a command prints, for people and as events; of one that takes long only the events. */
async function skep(args: readonly string[], of: string = config): Promise<number> {
  let exitCode: number | undefined;
  for (const form of IS_LONG.test(args.join(' ')) ? [['--json']] : [[], ['--json']]) {
    const ran = await execa(process.execPath, [MAIN, ...args, ...form, '--config', of], {
      reject: false,
      stdin: 'ignore',
      all: true,
      env: { SKEP_STATE: state, NO_COLOR: '1' },
    });
    watch.look(`what skep ${args.join(' ')} prints`, ran.all);
    exitCode = ran.exitCode;
  }
  return exitCode ?? -1;
}

test('no secret is seen in process lists, outputs, events, logs, manifests or errors of a run', async () => {
  const trial = new Trial(lab, { seed: 'secrets', say: () => {}, config, attachmentsS3: bucket.attachmentsS3 });
  expect(await skep(['init'])).toBe(0);
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(10);
  expect(await skep(['backup'])).toBe(0);
  await trial.stopLoad();
  const copy = path.join(lab.root, 'copy');
  for (const [args, exitCode] of [
    [['list'], 0],
    [['show', 'latest'], 0],
    [['verify', '--level', 'data'], 0],
    [['keys'], 0],
    [['restore', 'latest', '--dry-run'], 0],
    [['restore', 'latest', '--yes'], 0],
    [['copy', '--to', copy, '--init'], 0],
    [['forget', '--keep-last', '5'], 0],
    [['prune'], 0],
    [['unlock'], 0],
  ] as const) {
    expect(await skep(args), args.join(' ')).toBe(exitCode);
  }
  await skep(['check']);

  // Each with a password that is refused: that one, too, must not be told.
  const wrong = path.join(lab.root, 'wrong-password');
  const wrongJmx = path.join(lab.root, 'wrong-jmx');
  await writeFile(wrong, `${WRONG}\n`, { mode: 0o600 });
  await writeFile(wrongJmx, `${lab.record.jmx.user} ${WRONG}\n`, { mode: 0o600 });
  for (const [name, key, value] of [
    ['cql', ['cassandra', 'password'], { file: wrong }],
    ['search', ['elasticsearch', 'password'], { file: wrong }],
    ['jmx', ['cassandra', 'jmx', 'password_file'], wrongJmx],
    ['bucket', ['files', 's3', 'credentials', 'secret_key'], { file: wrong }],
    ['naming', ['repository', 'sealing', 'naming_key'], { file: wrong }],
  ] as const) {
    const variant = await configVariant(lab, `wrong-${name}`, [[[...key], value]], config);
    for (const command of ['check', 'backup']) expect(await skep([command], variant), `${name} ${command}`).not.toBe(0);
  }

  const isText = (name: string) => !/^(objects|listings|incoming|ballast|trash)/.test(name);
  expect(await watch.lookAtFiles(repository, isText)).toBeGreaterThan(5);
  expect(await watch.lookAtFiles(copy, isText)).toBeGreaterThan(3);
  await mkdir(state, { recursive: true });
  await watch.lookAtFiles(state, () => true);
  expect(watch.looks).toBeGreaterThan(50);
  expect(watch.found).toEqual([]);
});

test('CONTROL: a secret among the arguments of a process, or in a text, is seen', async () => {
  const secret = (await readFile(lab.record.cql.passwordFile, 'utf8')).trim();
  const control = await SecretWatch.of(lab);
  control.watchProcesses();
  await execa('sh', ['-c', 'sleep 1', secret]);
  control.stop();
  control.look('a text', `said ${secret} aloud`);
  expect(control.found).toEqual([
    'the password in cql in a text',
    expect.stringContaining('the password in cql in the arguments of sh'),
  ]);
});

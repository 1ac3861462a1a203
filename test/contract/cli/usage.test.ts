import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';
import { writeConfig } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

describe('no configuration', () => {
  test('is exit 2, with a hint for people on stderr and nothing on stdout', async () => {
    const ran = await skep(['list', '--config', '/none/skep.yaml']);
    expect(ran).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ran.stderr).toMatch(
      /^skep: no configuration found \(looked at \/none\/skep.yaml\) \[config-missing\]\n {2}.*--config FILE/,
    );
  });

  test('is an error event too when JSON was asked for', async () => {
    const folder = await temporaryFolder();
    const ran = await skep(['backup', '--json'], {
      cwd: folder,
      env: { HOME: folder, SKEP_CONFIG: join(folder, 'none.yaml') },
    });
    expect(ran.exitCode).toBe(2);
    expect(errorOf(ran)).toMatchObject({
      code: 'config-missing',
      hint: expect.stringContaining('--config'),
      retryable: false,
    });
    expect(Date.parse(ran.events[0]?.at ?? '')).toBeGreaterThan(0);
  });

  test('of the folder that one is in is needed: skep.yaml there is found', async () => {
    const folder = await temporaryFolder();
    await writeConfig(folder, { repository: join(folder, 'none') });
    expect(errorOf(await skep(['list', '--json'], { cwd: folder })).code).toBe('repository-missing');
  });
});

describe('a wrong word', () => {
  test('for the cluster is exit 2 and names those that there are', async () => {
    const config = await writeConfig(await temporaryFolder(), { repository: '/none' });
    const ran = await skep(['list', '--config', config, '--cluster', 'staging', '--json']);
    expect(ran.exitCode).toBe(2);
    expect(errorOf(ran)).toMatchObject({ code: 'cluster-unknown', message: expect.stringContaining('prod') });
  });

  test('in the configuration is exit 2 and names the key', async () => {
    const file = join(await temporaryFolder(), 'skep.yaml');
    await writeFile(file, 'version: 1\nclusters: { prod: { repositry: /x } }\n');
    const ran = await skep(['check', '--config', file, '--json']);
    expect(ran.exitCode).toBe(2);
    expect(errorOf(ran)).toMatchObject({
      code: 'config-invalid',
      context: { file, key: expect.stringContaining('clusters.prod') },
    });
  });

  const lines: [string, string[]][] = [
    ['command', ['bakup']],
    ['option', ['list', '--jsom']],
    ['level', ['verify', '--level', 'deep']],
    ['fix', ['check', '--fix', 'everything']],
    ['argument too few', ['show']],
    ['argument too many', ['list', 'what']],
  ];

  test.each(lines)('as %s is exit 2', async (_what, args) => {
    const { exitCode, events, stderr } = await skep([...args, '--json']);
    expect({ exitCode, events }).toMatchObject({ exitCode: 2, events: [{ type: 'error', error: { code: 'usage' } }] });
    expect(stderr).toContain('skep help');
  });
});

describe('help', () => {
  const COMMANDS = [
    'init',
    'keys',
    'check',
    'backup',
    'list',
    'show',
    'verify',
    'copy',
    'restore',
    'forget',
    'prune',
    'unlock',
  ];

  test('of skep itself names every command and the exit codes; so does skep alone, with exit 2', async () => {
    for (const [args, exitCode] of [
      [['--help'], 0],
      [['help'], 0],
      [[], 2],
    ] as const) {
      const ran = await skep(args);
      expect(ran.exitCode).toBe(exitCode);
      const text = ran.stdout + ran.stderr;
      for (const c of [...COMMANDS, 'lab']) {
        if (args.length > 0 || c !== 'lab') expect(text).toMatch(new RegExp(`^ {2}${c}\\b`, 'm'));
      }
      expect(text).toMatch(/Examples:[\s\S]*Exit codes:/);
    }
  });

  test.each(COMMANDS)('of %s shows an example and is exit 0', async (command) => {
    const { exitCode, stdout, stderr } = await skep([command, '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`Examples?:\\n {2}skep ${command}`));
    expect(stdout).toMatch(/--config <file>[\s\S]*--cluster <name>[\s\S]*--json/);
  });

  test('is not needed for the version', async () => {
    expect(await skep(['--version'])).toMatchObject({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
  });
});

describe('a restore', () => {
  test('that nobody can confirm needs --yes: exit 2, and nothing was looked at', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'state'));
    const config = await writeConfig(folder, { repository: join(folder, 'none') });
    const ran = await skep(['restore', 'latest', '--config', config, '--json'], {
      env: { SKEP_STATE: join(folder, 'state') },
    });
    expect(ran.exitCode).toBe(2);
    expect(errorOf(ran)).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('skep restore latest --dry-run'),
    });
  });
});

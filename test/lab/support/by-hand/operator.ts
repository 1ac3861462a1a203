import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { Lab } from '../../../../lab/index.ts';
import { ensurePythonPackage } from '../../../../lab/ground/python-package.ts';

const CQLSH = '6.2.2';
/** All that is on the path of who restores by hand: no skep and no Node, but the stores' own `cqlsh` and `nodetool`. */
const TOOLS = [
  ...['bash', 'sh', 'sha256sum', 'jq', 'zstd', 'age', 'curl'],
  ...[
    'base64',
    'cat',
    'chmod',
    'cp',
    'cut',
    'head',
    'ln',
    'mkdir',
    'mktemp',
    'mv',
    'paste',
    'rm',
    'sort',
    'sync',
    'tail',
    'wc',
  ],
];

/** Somebody at the nodes of a lab who has nothing but a shell, in a folder of their own. */
export interface Operator {
  folder: string;
  /** Runs commands under `sh -e`; fails with what they said. Gives what they printed. */
  run(commands: string): Promise<string>;
}

export async function makeOperator(lab: Lab): Promise<Operator> {
  const folder = path.join(lab.root, 'by-hand');
  const bin = path.join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const found = execFileSync('sh', ['-ec', 'for tool; do command -v "$tool"; done', 'sh', ...TOOLS], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
  for (const tool of found) await symlink(tool, path.join(bin, path.basename(tool)));
  // The lab's servers all run as one user.
  await script(path.join(bin, 'chown'), ':');
  await script(path.join(bin, 'nodetool'), nodetool(lab));
  await script(path.join(bin, 'cqlsh'), await cqlsh(lab, folder));
  await writeFile(path.join(folder, 'curl.conf'), await curlConf(lab), { mode: 0o600 });
  return {
    folder,
    async run(commands) {
      const file = path.join(folder, 'commands.sh');
      await writeFile(file, commands);
      const ran = await execa(path.join(bin, 'sh'), ['-e', file], {
        cwd: folder,
        stdin: 'ignore',
        env: { PATH: bin, TMPDIR: folder },
        extendEnv: false,
        all: true,
        reject: false,
      });
      if (ran.failed) throw new Error(`${ran.shortMessage}: ${ran.all}\n${commands}`);
      return ran.all;
    },
  };
}

async function script(file: string, text: string): Promise<void> {
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
}

/** As on a node of its own: `$node` says on which one. */
function nodetool({ record }: Lab): string {
  const { user, passwordFile } = record.jmx;
  return `exec "${record.root}/$node/cassandra/bin/nodetool" -u '${user}' -pwf '${passwordFile}' "$@"`;
}

/** With the user and the address of a node in files, as an operator has them at home. */
async function cqlsh({ record }: Lab, folder: string): Promise<string> {
  const installed = await ensurePythonPackage('cqlsh', CQLSH);
  const python = execFileSync('sh', ['-c', 'command -v python3'], { encoding: 'utf8' }).trim();
  const { cql } = record;
  const [rc, credentials] = [path.join(folder, 'cqlshrc'), path.join(folder, 'credentials')];
  const password = (await readFile(cql.passwordFile, 'utf8')).trim();
  await writeFile(rc, `[connection]\nhostname = ${cql.contactPoints[0]}\nport = ${cql.port}\nrequest_timeout = 60\n`);
  await writeFile(credentials, `[PlainTextAuthProvider]\nusername = ${cql.user}\npassword = ${password}\n`, {
    mode: 0o600,
  });
  return `HOME='${folder}' PYTHONPATH='${installed}' PATH=/usr/bin:/bin exec '${python}' -m cqlshlib --cqlshrc '${rc}' --credentials '${credentials}' "$@"`;
}

async function curlConf({ record }: Lab): Promise<string> {
  const { user, passwordFile, caFile } = record.elasticsearch;
  const password = (await readFile(passwordFile as string, 'utf8')).trim();
  return `user = "${user}:${password}"\ncacert = "${caFile}"\n`;
}

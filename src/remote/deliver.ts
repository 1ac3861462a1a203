import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SkepError } from '../errors.ts';
import { quoteAll } from './quote.ts';
import type { Transport } from './transport.ts';

/** skep's single executables on this machine, by the architecture that they run on, each with its SHA-256. */
export type Executables = ReadonlyMap<Architecture, { file: string; sha256: string }>;

const ARCHITECTURES = ['x64', 'arm64'] as const;
type Architecture = (typeof ARCHITECTURES)[number];

/** An agent on a node that no run has used for so many days is removed by the next delivery. */
const UNUSED_DAYS = 30;

/** That an executable takes. */
const ROOM = '160 MB';

/** With this code the start script tells that the agent is not there, or not whole, and on stderr for which architecture. */
const WANTED = 93;
const WANTED_WORDS = /^skep: wanted for (\S+)$/m;

/** With this code both scripts tell that the folder cannot be used, and on stderr before that why, whose it should be, and which. */
const NO_FOLDER = 94;
const NO_FOLDER_WORDS = /^(.*)\nskep: (\S+) cannot keep it in (.*)$/m;

// Both scripts are for any POSIX shell with the coreutils. Parameters: the folder, or nothing; the mode of new files. A folder
// of somebody else is refused: who owns it can put anything there. What tools say is read here: in English, whatever ssh sends.
const FOLDER = `umask "$2"
d=$1
if [ -z "$d" ]; then d=\${XDG_CACHE_HOME:-$HOME/.cache}/skep/agents; fi
no() { echo "skep: $(id -un) cannot keep it in $d" >&2; exit ${NO_FOLDER}; }
LC_ALL=C mkdir -p "$d" || no
if [ ! -O "$d" ]; then echo 'it belongs to somebody else' >&2; no; fi
sum() { sha256sum <"$1" | cut -d ' ' -f 1; }
`;
const START = `${FOLDER}
case $(uname -m) in x86_64 | amd64) a=x64 h=$3 ;; aarch64 | arm64) a=arm64 h=$4 ;; *) a=$(uname -m) h= ;; esac
f=$d/skep-$h
if [ -n "$h" ] && [ -f "$f" ] && [ "$(sum "$f")" = "$h" ]; then touch "$f"; shift 4; exec "$@" "$f" agent; fi
echo "skep: wanted for $a" >&2
exit ${WANTED}
`;
const RECEIVE = `${FOLDER}
export LC_ALL=C
part=$(mktemp "$d/.part.XXXXXXXX") || no
trap 'rm -f "$part"' EXIT
cat >"$part" || no
if [ "$(sum "$part")" != "$3" ]; then echo 'it arrived damaged' >&2; exit 1; fi
chmod "$(printf %o $((0777 & ~0$2)))" "$part" && mv -f "$part" "$d/skep-$3" || no
find "$d" -maxdepth 1 -type f '(' -name 'skep-*' -o -name '.part.*' ')' -mtime +${UNUSED_DAYS} -exec rm -f '{}' +
`;

/** Where agents are kept on a node. */
export interface Place {
  /** `~/.cache/skep/agents` of the user on the node when absent. */
  folder: string | undefined;
  /** Whether others than their owner may run them. */
  forOthers: boolean;
}

/** Finds the executables that `pattern` names; `{arch}` in it stands for `x64` and `arm64`. */
export async function findExecutables(pattern: string): Promise<Executables> {
  const found = new Map<Architecture, { file: string; sha256: string }>();
  for (const arch of pattern.includes('{arch}') ? ARCHITECTURES : [process.arch as Architecture]) {
    const file = pattern.replaceAll('{arch}', arch);
    if (
      await stat(file).then(
        (s) => s.isFile(),
        () => false,
      )
    )
      found.set(arch, { file, sha256: await sha256(file) });
  }
  if (found.size > 0) return found;
  throw new SkepError('config-invalid', `there is no executable of skep at ${pattern}`, {
    hint: 'Build it with `make dist`, and name it in skep.yaml: `agent.executable`.',
  });
}

/** The command that starts the agent on a node if it is there, whole; `before` stands in front of it, as sudo does. */
export function startCommand(executables: Executables, place: Place, before: readonly string[]): string[] {
  const hashes = ARCHITECTURES.map((arch) => executables.get(arch)?.sha256 ?? '');
  return ['sh', '-c', START, 'skep', ...folderAndMask(place), ...hashes, ...before];
}

/** For which architecture an agent is wanted, told from how the start command ended; undefined when it ended otherwise. */
export function wantedFor(exitCode: number | null, stderr: string): string | undefined {
  return exitCode === WANTED ? WANTED_WORDS.exec(stderr)?.[1] : undefined;
}

/** Why the folder of the agents on a node cannot be used, told from how either script ended; undefined when it can. */
export function folderFailure(node: string, exitCode: number | null, stderr: string): SkepError | undefined {
  const [, why = '', user = '', folder = ''] = (exitCode === NO_FOLDER && NO_FOLDER_WORDS.exec(stderr)) || [];
  if (folder === '') return undefined;
  const context = { node, folder };
  if (/no space left on device|disk quota exceeded/i.test(why)) {
    return new SkepError('no-space', `${user} has no room for the agent in ${folder} on ${node}: ${why}`, {
      hint: `Free ${ROOM} there, or name another folder in skep.yaml: \`agent.folder\`; then run the command again.`,
      context,
    });
  }
  return new SkepError('agent-failed', `${user} cannot keep the agent in ${folder} on ${node}: ${why}`, {
    hint: /read-only file system/i.test(why)
      ? 'Name a folder that can be written in skep.yaml: `agent.folder`; then `skep check`.'
      : `Make it once on ${node}, as root: \`${quoteAll(makeFolderArgv(user, folder))}\`; or name another one in skep.yaml (\`agent.folder\`).`,
    context,
  });
}

/** What root runs once on a node so that `login` can keep agents in a folder that only root can make; all others go through it. */
export function makeFolderArgv(login: string, folder: string): string[] {
  return ['install', '-d', '-o', login, '-m', '755', folder];
}

/**
 * Copies the agent to a node: it is there whole, or not at all.
 * Errors: `no-space`, `agent-failed` (no folder, no shell, no executable for that machine), those of the transport.
 */
export async function deliver(
  to: { node: string; transport: Transport; arch: string },
  executables: Executables,
  place: Place,
  signal?: AbortSignal,
): Promise<void> {
  const context = { node: to.node };
  const executable = executables.get(to.arch as Architecture);
  if (!executable) {
    throw new SkepError('agent-failed', `there is no executable of skep for ${to.node}, which is ${to.arch}`, {
      hint: 'Build it with `make dist`, and name both in skep.yaml: `agent.executable` with `{arch}` in its name.',
      context,
    });
  }
  const command = ['sh', '-c', RECEIVE, 'skep', ...folderAndMask(place), executable.sha256];
  const [file, ...args] = to.transport.argv(command, { compressed: true });
  const ran = await execa(file, args, {
    inputFile: executable.file,
    stdout: 'ignore',
    reject: false,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (ran.isCanceled) throw signal?.reason;
  if (!ran.failed) return;
  const why = ran.stderr?.trim().split('\n').at(-1) || ran.shortMessage;
  throw (
    to.transport.failure(ran.exitCode ?? null, ran.stderr ?? '') ??
    folderFailure(to.node, ran.exitCode ?? null, ran.stderr ?? '') ??
    new SkepError('agent-failed', `skep could not be copied to ${to.node}: ${why}`, {
      hint: `It needs room for ${ROOM} in \`agent.folder\` on the node, a POSIX shell and the coreutils.`,
      context,
    })
  );
}

function folderAndMask(place: Place): [string, string] {
  return [place.folder ?? '', place.forOthers ? '022' : '077'];
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

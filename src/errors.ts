/**
 * The one table of errors: every code that skep can end with, the exit code that it maps to, and the hint
 * that is shown when the thrower has none of its own. `docs/generated/errors.md` is made from it.
 */
export const ERRORS = {
  internal: { exit: 1, hint: 'This is a fault in skep: run the command again with `--json` and report the events.' },
  'command-failed': { exit: 1, hint: 'Run the command by hand on that node to see why it fails.' },
  'node-unreachable': { exit: 1, hint: 'Run `ssh NODE true` by hand; then `skep check`.' },
  'agent-failed': { exit: 1, hint: 'Run `skep check` and read what the agent printed on stderr.' },
  'protocol-error': { exit: 1, hint: 'Controller and agent must be the same version of skep; run `skep check`.' },
  'cql-failed': { exit: 1, hint: 'Run `skep check`; every Cassandra node must be up.' },
  'elasticsearch-failed': { exit: 1, hint: 'Run `skep check`; Elasticsearch must be green.' },
  'janusgraph-failed': { exit: 1, hint: 'Run `skep check`; look into the log of the JanusGraph server.' },
  'attachments-failed': { exit: 1, hint: 'Check the storage that holds the attachments, then run the command again.' },
  'restore-failed': { exit: 1, hint: 'Run the same `skep restore` again: it goes on where it stopped.' },
  cancelled: { exit: 130, hint: 'Nothing was published; run the command again.' },
  terminated: { exit: 143, hint: 'Nothing was published; run the command again.' },

  usage: { exit: 2, hint: 'Run `skep help`.' },
  'config-missing': { exit: 2, hint: 'Write a skep.yaml, or name one with `--config FILE`.' },
  'config-invalid': { exit: 2, hint: 'Mend the named key in skep.yaml.' },
  'cluster-unknown': { exit: 2, hint: 'Name one of the clusters of skep.yaml with `--cluster NAME`.' },
  'backup-unknown': { exit: 2, hint: 'Run `skep list` to see the ids.' },

  'backup-incomplete': { exit: 3, hint: 'Nothing was published; mend the cause and run `skep backup` again.' },
  'cut-refused': { exit: 3, hint: 'No cut could be had; mend what the evidence names and run `skep backup` again.' },
  'snapshot-failed': { exit: 3, hint: 'Look into the log of the node that is named, then run `skep backup` again.' },

  'attachments-damaged': {
    exit: 3,
    hint: 'Bring the attachments that are named back, or accept their loss: `files.accept_damaged` in skep.yaml.',
  },
  'file-missing': { exit: 3, hint: 'A file went away while it was to be read; run `skep backup` again.' },
  'file-unreadable': { exit: 3, hint: 'Check owner, mode and disk of the file that is named; then `skep check`.' },
  'damage-found': { exit: 4, hint: 'Run `skep verify ID --level data` to list every finding.' },
  'object-missing': { exit: 4, hint: 'Run `skep verify --level presence` to list every finding.' },
  'object-damaged': { exit: 4, hint: 'Run `skep verify --level data` to list every finding.' },
  'manifest-damaged': { exit: 4, hint: 'Run `skep verify ID`; choose another backup with `skep list`.' },
  'manifest-unsupported': {
    exit: 15,
    hint: 'Use the skep that wrote it, or a newer one; `skep list` shows the others.',
  },
  'segment-damaged': { exit: 4, hint: 'The commit log segment cannot be trusted; take another backup.' },
  'segment-schema-mismatch': {
    exit: 15,
    hint: 'The schema changed while the commit log was written: run `skep backup` again, with no DDL meanwhile.',
  },
  'segment-unsupported': {
    exit: 15,
    hint: 'skep reads commit log formats 7 and 8 (Cassandra 4.0 to 5.0), not encrypted; see `skep check`.',
  },

  'preflight-failed': { exit: 5, hint: 'Run `skep check` and mend what fails.' },
  'below-minimum': {
    exit: 5,
    hint: 'Nothing was forgotten: keep more, or lower `retention.minimum` in skep.yaml.',
  },
  'object-locked': { exit: 5, hint: 'Object lock keeps it until then: nothing was forgotten; wait.' },
  'repository-missing': { exit: 10, hint: 'Run `skep init`, or mend `repository` in skep.yaml.' },
  'repository-foreign': { exit: 10, hint: 'Choose another repository: this one belongs to another cluster.' },
  'repository-unsupported': { exit: 15, hint: 'Use a skep that knows this repository format.' },
  'repository-exists': { exit: 2, hint: 'There is a repository already: go on with `skep backup`.' },
  'repository-unfit': {
    exit: 10,
    hint: 'Choose storage that keeps what the message names, or mend it there; then `skep init`.',
  },
  'repository-damaged': {
    exit: 4,
    hint: 'Put its skep.json back from a backup of the storage (that of a copy has another id), then `skep verify`.',
  },
  'repository-failed': { exit: 1, hint: 'Check the storage that holds the repository, then run the command again.' },
  locked: { exit: 11, hint: 'Another run holds the lease; wait for it, or run `skep unlock`.' },
  'ssh-credentials': { exit: 12, hint: 'Check the ssh user, key and known_hosts: run `ssh NODE true` by hand.' },
  'sudo-refused': {
    exit: 12,
    hint: 'Put the lines that `skep init --sudoers` prints into /etc/sudoers.d/skep on the node; then `skep check`.',
  },
  'cql-credentials': { exit: 12, hint: 'Check `cassandra.user` and `cassandra.password` in skep.yaml.' },
  'jmx-credentials': { exit: 12, hint: 'Check `cassandra.jmx` user and password file in skep.yaml.' },
  'elasticsearch-credentials': { exit: 12, hint: 'Check `elasticsearch` user and password, or api_key, in skep.yaml.' },
  'repository-credentials': {
    exit: 12,
    hint: 'Check `repository.s3.credentials` in skep.yaml and what the storage allows them; then `skep check`.',
  },
  'attachments-credentials': {
    exit: 12,
    hint: 'Check `files.s3.credentials` in skep.yaml and what the storage allows them; then `skep check`.',
  },
  'thehive-credentials': {
    exit: 12,
    hint: "The key of `index.thehive.api_key` in skep.yaml must be a platform administrator's; then run it again.",
  },
  'janusgraph-credentials': { exit: 12, hint: 'Check `index.janusgraph` in skep.yaml.' },
  'key-missing': {
    exit: 12,
    hint: 'The repository is sealed: give the naming key, and to read contents an identity (`repository.sealing` in skep.yaml, or `--identity FILE`).',
  },
  'key-wrong': {
    exit: 12,
    hint: 'Give the keys of this repository; `skep keys` shows its recipients.',
  },
  'secret-unreadable': { exit: 12, hint: 'The file, variable or command that holds the secret must give one line.' },
  'no-space': { exit: 13, hint: 'Free space at the place that is named, then run the command again.' },
  'clock-skew': { exit: 14, hint: 'Bring the clocks of the nodes together (chrony or ntpd), then run it again.' },
  'version-unsupported': { exit: 15, hint: 'See the supported versions in `skep check`.' },
  'topology-mismatch': {
    exit: 15,
    hint: 'Restore to a cluster of the same shape, or wait until the topology is stable.',
  },
} as const satisfies Record<string, { exit: number; hint: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** What a thrower may add to a code and a message. */
export interface ErrorDetails {
  /** One sentence that names a command; the table's hint when absent. */
  hint?: string;
  /** True when the same call may succeed if made again without mending anything. */
  retryable?: boolean;
  /** Facts for machines: plain JSON, never a secret. */
  context?: Record<string, unknown>;
  cause?: unknown;
}

/** The hint of the table, with the backup that it is about in the place of `ID`. */
export function hintFor(code: ErrorCode, context: Record<string, unknown> = {}): string {
  const { backup } = context;
  return ERRORS[code].hint.replace(' ID', typeof backup === 'string' ? ` ${backup}` : '');
}

/** The one public error. `message` is lower case without a final period; `hint` is a sentence. */
export class SkepError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly context: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SkepError';
    this.code = code;
    this.hint = details.hint ?? hintFor(code, details.context);
    this.retryable = details.retryable ?? false;
    this.context = details.context ?? {};
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  toJSON(): SerializedError {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      retryable: this.retryable,
      context: this.context,
      ...(this.cause === undefined ? {} : { cause: describeCause(this.cause) }),
    };
  }
}

/** The form in which an error crosses a pipe or a JSON event. */
export interface SerializedError {
  code: ErrorCode;
  message: string;
  hint: string;
  retryable: boolean;
  context: Record<string, unknown>;
  cause?: string;
}

/** Gives back a SkepError from its JSON form; an unknown code becomes `internal`. */
export function deserializeError(e: SerializedError): SkepError {
  const code: ErrorCode = Object.hasOwn(ERRORS, e.code) ? e.code : 'internal';
  return new SkepError(code, e.message, { hint: e.hint, retryable: e.retryable, context: e.context, cause: e.cause });
}

/** Any thrown value as a SkepError: as it is, or wrapped under `code`. */
export function toSkepError(e: unknown, code: ErrorCode = 'internal'): SkepError {
  if (e instanceof SkepError) return e;
  const message = e instanceof Error ? e.message : String(e);
  return new SkepError(code, message, { cause: e });
}

function describeCause(cause: unknown): string {
  if (cause instanceof Error) return `${cause.name}: ${cause.message}`;
  return String(cause);
}

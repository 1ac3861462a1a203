import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { probeBackend } from './backend/probe.ts';
import { type ExtractOptions, extractObject } from './content/extract-object.ts';
import { readObject } from './content/object-reader.ts';
import { BatchObjectWriter } from './content/object-writer.ts';
import { copyBackups } from './copy/copy.ts';
import type { CopyEnd, CopyOptions, CopyReport } from './copy/job.ts';
import { matchKeys } from './copy/match-keys.ts';
import { judgeBackups } from './damage/judge-backups.ts';
import { descriptorHint, keepDescriptorCopy } from './descriptor-copy.ts';
import { decodeDescriptor, encodeDescriptor, REPOSITORY_FORMAT, type Descriptor } from './format/descriptor.ts';
import type { FolderMarks } from './folder-marks.ts';
import type { ListingEntry } from './format/listing-entry.ts';
import type { Manifest, ManifestDetails, ManifestDraft } from './format/manifest.ts';
import {
  BACKUP_ID_PATTERN,
  COMPONENT_PATTERN,
  DESCRIPTOR_COPY_KEY,
  DESCRIPTOR_KEY,
  type Encoding,
  incomingPrefix,
  NAME_PATTERN,
  runLogKey,
} from './format/names.ts';
import {
  acquireLease,
  clearDeadRuns,
  showLeases,
  unlock,
  type ClearedRuns,
  type Lease,
  type ShownLease,
  type UnlockOptions,
} from './lease/index.ts';
import { readListing, writeListing } from './listing/listing.ts';
import { readStored } from './listing/read-stored.ts';
import { updateListing } from './listing/update-listing.ts';
import { getOrEmpty, listBackups, readManifest } from './manifests.ts';
import { type Ballast, makeBallast } from './prune/ballast.ts';
import { prune, type PruneOptions, type PruneReport } from './prune/prune.ts';
import { publish } from './publish.ts';
import { forget, type ForgetOptions, type ForgetReport } from './retention/forget.ts';
import { openDetails } from './sealing/details.ts';
import { isGenuine, readGenerations, writeGeneration } from './sealing/generations.ts';
import { hostMark, sameMembers, type Vault } from './sealing/keyring.ts';
import { type GivenKeys, openKeyring } from './sealing/open-keyring.ts';
import { listKeys, rotateKeys } from './sealing/rotate.ts';
import { BackendRunLog, type RunLog } from './run-log.ts';
import type {
  BackupSummary,
  KeyGeneration,
  ListingChange,
  ListingRef,
  ObjectWriter,
  ObjectWriterOptions,
  PlainManifest,
  PublishOptions,
  Repository,
  StoredGroup,
} from './types.ts';
import type { VerifyOptions, VerifyReport } from './verify/report.ts';
import { verify } from './verify/verify.ts';

/** Makes a repository on any backend. */
export async function initOnBackend(
  backend: Backend,
  cluster: { clusterName: string; clusterId: string },
  given: GivenKeys = {},
): Promise<Repository> {
  const [found] = await backend.sizes([DESCRIPTOR_KEY]);
  if (found !== undefined) throw exists(backend);
  await refuseLostDescriptor(backend);
  await probeBackend(backend, { thorough: true });
  const descriptor: Descriptor = {
    format: REPOSITORY_FORMAT,
    id: (await beginSealed(backend, given)) ?? newId(),
    createdAt: new Date().toISOString(),
    cluster: { name: cluster.clusterName, id: cluster.clusterId },
    features: given.recipients === undefined ? [] : ['sealed'],
  };
  if ((await backend.put(DESCRIPTOR_KEY, encodeDescriptor(descriptor))) === 'exists') throw exists(backend);
  await keepDescriptorCopy(backend);
  return new BackendRepository({ backend, keyring: await openKeyring(backend, descriptor, given) }, descriptor);
}

/** Where there are backups there was a repository: another id in its place would hide what is lost. */
async function refuseLostDescriptor(backend: Backend): Promise<void> {
  for await (const { key } of backend.list('backups/')) {
    const message = `${backend.location} has ${key} and no skep.json`;
    const hint = await descriptorHint(backend);
    throw new SkepError('repository-damaged', message, { ...hint, context: { key: DESCRIPTOR_KEY } });
  }
  const hint = await descriptorHint(backend);
  if (hint.hint === undefined) return;
  const message = `${backend.location} has ${DESCRIPTOR_COPY_KEY} and no skep.json`;
  throw new SkepError('repository-damaged', message, { ...hint, context: { key: DESCRIPTOR_KEY } });
}

/**
 * The id of a repository that is to be sealed, after its first keys were written: a repository never lacks them. One that
 * an interrupted `init` has left with the same keys is gone on with.
 */
async function beginSealed(backend: Backend, given: GivenKeys): Promise<string | undefined> {
  const { recipients, namingKey: hex } = given;
  if (recipients === undefined) return undefined;
  if (hex === undefined) throw new SkepError('key-missing', 'a sealed repository needs a naming key');
  const namingKey = Buffer.from(hex, 'hex');
  const id = newId();
  if (await writeGeneration(backend, { repository: id, generation: 1, recipients, namingKey })) return id;
  const left = (await readGenerations(backend)).at(-1);
  if (left && isGenuine(left, left.repository, namingKey) && sameMembers(left.recipients, recipients)) {
    return left.repository;
  }
  throw new SkepError('key-wrong', `${backend.location} has keys of another repository, but no skep.json`, {
    hint: 'An interrupted `skep init` has left them: remove the folder keys/ there, then run it again.',
  });
}

function newId(): string {
  return randomBytes(16).toString('hex');
}

/** Errors: `repository-missing`, `repository-unsupported`, `repository-damaged`, `key-wrong`. */
export async function openOnBackend(backend: Backend, given: GivenKeys = {}): Promise<Repository> {
  const descriptor = await readDescriptor(backend);
  return new BackendRepository({ backend, keyring: await openKeyring(backend, descriptor, given) }, descriptor);
}

async function readDescriptor(backend: Backend): Promise<Descriptor> {
  const bytes = await getOrEmpty(backend, DESCRIPTOR_KEY);
  if (bytes === undefined) {
    await refuseLostDescriptor(backend);
    throw new SkepError('repository-missing', `there is no repository at ${backend.location}`);
  }
  try {
    return decodeDescriptor(bytes);
  } catch (error) {
    if (!(error instanceof SkepError) || error.code !== 'repository-damaged') throw error;
    const hint = await descriptorHint(backend);
    throw new SkepError(error.code, error.message, { ...hint, context: error.context, cause: error });
  }
}

class BackendRepository implements Repository {
  readonly location: string;
  readonly id: string;
  readonly cluster: { name: string; id: string };
  readonly sealed: boolean;
  readonly opens: boolean;
  readonly #vault: Vault;
  readonly #backend: Backend;
  readonly #descriptor: Descriptor;

  constructor(vault: Vault, descriptor: Descriptor) {
    this.#vault = vault;
    this.#backend = vault.backend;
    this.#descriptor = descriptor;
    this.location = vault.backend.location;
    this.sealed = vault.keyring.sealed;
    this.opens = vault.keyring.opens;
    this.id = descriptor.id;
    this.cluster = descriptor.cluster;
  }

  objectWriter(options: ObjectWriterOptions): ObjectWriter {
    checkComponent(options.run);
    checkComponent(options.writer);
    return new BatchObjectWriter(this.#vault, options);
  }

  writeListing(
    entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>,
    writer: ObjectWriter,
    options: { signal?: AbortSignal } = {},
  ): Promise<ListingRef> {
    return writeListing(entries, writer, options);
  }

  updateListing(
    previous: ListingRef,
    changes: readonly ListingChange[],
    writer: ObjectWriter,
    options: { signal?: AbortSignal; onDamage?: (why: string) => void } = {},
  ): Promise<ListingRef> {
    return updateListing(this.#vault, previous, changes, writer, options);
  }

  readStored(
    ref: Pick<ListingRef, 'root' | 'files'>,
    onGroup: (group: StoredGroup) => void,
    options: { signal?: AbortSignal } = {},
  ): Promise<FolderMarks> {
    return readStored(this.#vault, ref, onGroup, options);
  }

  readListing(ref: Pick<ListingRef, 'root'>): AsyncIterable<ListingEntry> {
    return readListing(this.#vault, ref.root);
  }

  async readObject(name: string, options: { signal?: AbortSignal; prefer?: Encoding } = {}): Promise<Readable> {
    checkName(name);
    return readObject(this.#vault, name, options);
  }

  async extract(name: string, destPath: string, options: ExtractOptions = {}): Promise<number> {
    checkName(name);
    return extractObject(this.#vault, name, destPath, options);
  }

  publish(draft: ManifestDraft, options: PublishOptions = {}): Promise<Manifest> {
    return publish(this.#vault, this.#descriptor, draft, options);
  }

  list(): Promise<BackupSummary[]> {
    return judgeBackups(this.#vault);
  }

  manifests(): Promise<BackupSummary[]> {
    return listBackups(this.#vault);
  }

  readManifest(id: string): Promise<Manifest> {
    return readManifest(this.#vault, id);
  }

  async readDetails(manifest: Manifest): Promise<ManifestDetails> {
    return manifest.details ?? openDetails(manifest.sealed ?? '', manifest.id, this.#vault.keyring);
  }

  isOfHosts(manifest: PlainManifest, hostIds: readonly string[]): boolean {
    const marks = hostIds.map((id) => hostMark(this.#vault.keyring, id));
    return manifest.hosts?.some((host) => marks.includes(host)) === true;
  }

  keys(): Promise<KeyGeneration[]> {
    return listKeys(this.#vault, this.id);
  }

  rotateKeys(options: { dryRun?: boolean } = {}): Promise<number> {
    return rotateKeys(this.#vault, this.id, options);
  }

  verify(options: VerifyOptions): Promise<VerifyReport> {
    return verify(this.#vault, this.id, options);
  }

  async acquireLease(
    kind: Lease['kind'],
    owner: Lease['owner'],
    options: { backups?: readonly string[]; staging?: boolean } = {},
  ): Promise<Lease> {
    const lease = await acquireLease(this.#backend, kind, owner, options);
    if (kind === 'write') await keepDescriptorCopy(this.#backend);
    return lease;
  }

  leases(): Promise<ShownLease[]> {
    return showLeases(this.#backend);
  }

  clearDeadRuns(lease: Lease): Promise<ClearedRuns> {
    const { run, host } = lease.owner;
    return clearDeadRuns(this.#backend, { by: `${lease.kind} ${run} on ${host}`, own: lease.id });
  }

  unlock(ids: readonly string[], options: UnlockOptions): Promise<ShownLease[]> {
    return unlock(this.#backend, ids, options);
  }

  forget(options: ForgetOptions): Promise<ForgetReport> {
    return forget(this.#vault, options);
  }

  async canLock(): Promise<boolean> {
    return (await this.#backend.retention?.isOn()) ?? false;
  }

  makeBallast(bytes: number): Promise<Ballast> {
    return makeBallast(this.#backend, bytes);
  }

  prune(options: PruneOptions): Promise<PruneReport> {
    return prune(this.#vault, options);
  }

  async hasKeysOf(source: Repository): Promise<boolean> {
    return (await matchKeys(BackendRepository.endOf(source), BackendRepository.endOf(this))).kind !== 'other';
  }

  async copyFrom(source: Repository, options: CopyOptions): Promise<CopyReport> {
    return copyBackups(BackendRepository.endOf(source), BackendRepository.endOf(this), options);
  }

  /** A repository as a copy sees it. */
  static endOf(repository: Repository): CopyEnd {
    if (repository instanceof BackendRepository)
      return { vault: repository.#vault, descriptor: repository.#descriptor };
    throw new SkepError('internal', 'a copy of another kind of repository');
  }

  runLog(run: string): RunLog {
    checkComponent(run);
    return new BackendRunLog(this.#backend, run);
  }

  async runsOfOwn(runs: readonly string[]): Promise<string[]> {
    const ids = runs.filter((run) => BACKUP_ID_PATTERN.test(run));
    const sizes = await this.#backend.sizes(ids.map(runLogKey));
    return ids.filter((_, i) => sizes[i] !== undefined);
  }

  async discardRun(run: string): Promise<void> {
    checkComponent(run);
    await this.#backend.deletePrefix(incomingPrefix(run));
  }
}

function checkComponent(value: string): void {
  if (!COMPONENT_PATTERN.test(value)) throw new SkepError('internal', `not a name of a run or writer: ${value}`);
}

function checkName(name: string): void {
  if (!NAME_PATTERN.test(name)) throw new SkepError('internal', `not the name of an object: ${name}`);
}

function exists(backend: Backend): SkepError {
  return new SkepError('repository-exists', `there is a repository at ${backend.location} already`);
}

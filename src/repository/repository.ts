import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { probeBackend } from './backend/probe.ts';
import { extractObject, readObject, type ExtractOptions } from './content/object-reader.ts';
import { BatchObjectWriter } from './content/object-writer.ts';
import { decodeDescriptor, encodeDescriptor, REPOSITORY_FORMAT, type Descriptor } from './format/descriptor.ts';
import type { ListingEntry } from './format/listing-entry.ts';
import type { Manifest, ManifestDraft } from './format/manifest.ts';
import { COMPONENT_PATTERN, DESCRIPTOR_KEY, incomingPrefix, NAME_PATTERN } from './format/names.ts';
import { acquireLease, listLeases, type Lease, type LeaseInfo } from './lease.ts';
import { readListing, writeListing } from './listing/listing.ts';
import { listBackups, readManifest } from './manifests.ts';
import { publish } from './publish.ts';
import { BackendRunLog, type RunLog } from './run-log.ts';
import type { BackupSummary, ListingRef, ObjectWriter, ObjectWriterOptions, Repository } from './types.ts';
import type { VerifyOptions, VerifyReport } from './verify/report.ts';
import { verify } from './verify/verify.ts';

/** Makes a repository on any backend. */
export async function initOnBackend(
  backend: Backend,
  cluster: { clusterName: string; clusterId: string },
): Promise<Repository> {
  const [found] = await backend.sizes([DESCRIPTOR_KEY]);
  if (found !== undefined) throw exists(backend);
  await probeBackend(backend);
  const descriptor: Descriptor = {
    format: REPOSITORY_FORMAT,
    id: randomBytes(16).toString('hex'),
    createdAt: new Date().toISOString(),
    cluster: { name: cluster.clusterName, id: cluster.clusterId },
    features: [],
  };
  if ((await backend.put(DESCRIPTOR_KEY, encodeDescriptor(descriptor))) === 'exists') throw exists(backend);
  return new BackendRepository(backend, descriptor);
}

/** Errors: `repository-missing`, `repository-unsupported`, `repository-damaged`. */
export async function openOnBackend(backend: Backend): Promise<Repository> {
  let bytes: Buffer;
  try {
    bytes = await backend.get(DESCRIPTOR_KEY);
  } catch (error) {
    if (!(error instanceof SkepError) || error.code !== 'object-missing') throw error;
    throw new SkepError('repository-missing', `there is no repository at ${backend.location}`, { cause: error });
  }
  return new BackendRepository(backend, decodeDescriptor(bytes));
}

class BackendRepository implements Repository {
  readonly location: string;
  readonly id: string;
  readonly cluster: { name: string; id: string };
  readonly #backend: Backend;
  readonly #descriptor: Descriptor;

  constructor(backend: Backend, descriptor: Descriptor) {
    this.#backend = backend;
    this.#descriptor = descriptor;
    this.location = backend.location;
    this.id = descriptor.id;
    this.cluster = descriptor.cluster;
  }

  objectWriter(options: ObjectWriterOptions): ObjectWriter {
    checkComponent(options.run);
    checkComponent(options.writer);
    return new BatchObjectWriter(this.#backend, options);
  }

  writeListing(
    entries: AsyncIterable<ListingEntry> | Iterable<ListingEntry>,
    writer: ObjectWriter,
    options: { signal?: AbortSignal } = {},
  ): Promise<ListingRef> {
    return writeListing(entries, writer, options);
  }

  readListing(ref: Pick<ListingRef, 'root'>): AsyncIterable<ListingEntry> {
    return readListing(this.#backend, ref.root);
  }

  async readObject(name: string, options: { signal?: AbortSignal } = {}): Promise<Readable> {
    checkName(name);
    return readObject(this.#backend, name, options);
  }

  async extract(name: string, destPath: string, options: ExtractOptions = {}): Promise<number> {
    checkName(name);
    return extractObject(this.#backend, name, destPath, options);
  }

  publish(draft: ManifestDraft, options: { lease?: Lease; signal?: AbortSignal } = {}): Promise<Manifest> {
    return publish(this.#backend, this.#descriptor, draft, options);
  }

  list(): Promise<BackupSummary[]> {
    return listBackups(this.#backend);
  }

  readManifest(id: string): Promise<Manifest> {
    return readManifest(this.#backend, id);
  }

  verify(options: VerifyOptions): Promise<VerifyReport> {
    return verify(this.#backend, options);
  }

  acquireLease(kind: Lease['kind'], owner: Lease['owner']): Promise<Lease> {
    return acquireLease(this.#backend, kind, owner);
  }

  leases(): Promise<LeaseInfo[]> {
    return listLeases(this.#backend);
  }

  runLog(run: string): RunLog {
    checkComponent(run);
    return new BackendRunLog(this.#backend, run);
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

/**
 * What a disk may hold after a crash. The model follows the steps of a run and knows of every byte and every name whether
 * a sync has made it durable. A killed process loses nothing that the kernel has; a machine that loses its power may lose
 * whatever was not synced, and a filesystem may keep names before the bytes that they stand for.
 */
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Step } from './file-steps.ts';

/**
 * killed: all that was done · lost: only what was synced · names: every name, of unsynced contents the first half ·
 * zeros: every name, unsynced contents as zeros of the right length · mixed: for each name and content one or the other
 */
export const CRASHES = ['killed', 'lost', 'names', 'zeros', 'mixed'] as const;
export type Crash = (typeof CRASHES)[number];

/** Files by path; a folder is an entry that ends with `/`. */
export type Image = Map<string, Buffer>;

class FileNode {
  content: Buffer;
  version = 1;
  durable: Buffer = Buffer.alloc(0);
  durableVersion = 0;
  #torn: { version: number; half: Buffer; zeros: Buffer } | undefined;
  constructor(content: Buffer) {
    this.content = content;
  }

  /** What may become of a content that was not synced; the same buffers as long as it does not change. */
  torn(): { half: Buffer; zeros: Buffer } {
    const { content, version } = this;
    if (this.#torn?.version !== version) {
      this.#torn = { version, half: content.subarray(0, content.length >> 1), zeros: Buffer.alloc(content.length) };
    }
    return this.#torn;
  }
}

class FolderNode {
  entries = new Map<string, Node>();
  version = 1;
  durable = new Map<string, Node>();
  durableVersion = 0;
}

type Node = FileNode | FolderNode;

/** State of a node when a sync began. */
type Saved =
  | { node: FileNode; content: Buffer; version: number }
  | { node: FolderNode; entries: Map<string, Node>; version: number };

export class CrashModel {
  readonly #root = new FolderNode();
  /** What a sync that is under way has begun with. */
  readonly #saving = new Map<Step, Saved[]>();

  /** All that is below the folder now counts as durable. */
  constructor(folder: string) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
      if (entry.isDirectory()) this.#makeFolders(path);
      else this.#write(path, undefined, readFileSync(join(folder, path)));
    }
    this.#commit(this.#saveAll(this.#root));
  }

  begin(step: Step): void {
    if (step.kind === 'sync-filesystem') this.#saving.set(step, this.#saveAll(this.#root));
    const node = step.kind === 'sync' ? this.#find(step.path) : undefined;
    if (node !== undefined) this.#saving.set(step, [save(node)]);
  }

  end(step: Step): void {
    this.#commit(this.#saving.get(step) ?? []);
    this.#saving.delete(step);
    switch (step.kind) {
      case 'mkdir':
        this.#makeFolders(step.path);
        return;
      case 'create':
        this.#write(step.path, 0, Buffer.alloc(0));
        return;
      case 'write':
        this.#write(step.path, step.at, step.bytes ?? Buffer.alloc(0));
        return;
      case 'truncate':
        this.#truncate(step.path, step.at ?? 0);
        return;
      case 'link':
        this.#put(step.to ?? '', this.#find(step.path));
        return;
      case 'rename': {
        const node = this.#find(step.path);
        this.#remove(step.path);
        this.#put(step.to ?? '', node);
        return;
      }
      case 'delete':
      case 'delete-tree':
        this.#remove(step.path);
    }
  }

  /** A step that was not finished: half of a write; of a folder that is being deleted all but its first file. */
  half(step: Step): void {
    if (step.kind === 'write') {
      const bytes = step.bytes ?? Buffer.alloc(0);
      this.#write(step.path, step.at, bytes.subarray(0, bytes.length >> 1));
    }
    if (step.kind === 'delete-tree') {
      const first = [...this.image('killed').keys()].find(
        (path) => path.startsWith(`${step.path}/`) && !path.endsWith('/'),
      );
      if (first !== undefined) this.#remove(first);
    }
  }

  /** `random` decides for `mixed`: numbers from 0 to 1. */
  image(crash: Exclude<Crash, 'mixed'>): Image;
  image(crash: Crash, random: () => number): Image;
  image(crash: Crash, random = () => 0): Image {
    const image: Image = new Map();
    walk(this.#root, '');
    return image;

    function walk(folder: FolderNode, prefix: string): void {
      for (const [name, node] of entriesAfter(folder)) {
        if (node instanceof FileNode) image.set(`${prefix}${name}`, contentAfter(node));
        else {
          image.set(`${prefix}${name}/`, Buffer.alloc(0));
          walk(node, `${prefix}${name}/`);
        }
      }
    }
    function entriesAfter(folder: FolderNode): Map<string, Node> {
      if (crash === 'lost') return folder.durable;
      if (crash !== 'mixed' || folder.version === folder.durableVersion) return folder.entries;
      const mixed = new Map<string, Node>();
      for (const name of new Set([...folder.durable.keys(), ...folder.entries.keys()])) {
        const node = (random() < 0.5 ? folder.durable : folder.entries).get(name);
        if (node !== undefined) mixed.set(name, node);
      }
      return mixed;
    }
    function contentAfter(file: FileNode): Buffer {
      if (crash === 'killed' || file.version === file.durableVersion) return file.content;
      const { half, zeros } = file.torn();
      const kind = crash === 'mixed' ? Math.floor(random() * 4) : { lost: 0, names: 1, zeros: 2 }[crash];
      return [file.durable, half, zeros][kind] ?? file.content;
    }
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node = node instanceof FolderNode ? node.entries.get(name) : undefined;
    }
    return node;
  }

  #makeFolders(path: string): FolderNode {
    let folder = this.#root;
    for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
      let next = folder.entries.get(name);
      if (!(next instanceof FolderNode)) {
        next = new FolderNode();
        folder.entries.set(name, next);
        folder.version++;
      }
      folder = next;
    }
    return folder;
  }

  #put(path: string, node: Node | undefined): void {
    if (node === undefined) return;
    const [folder, name] = this.#place(path);
    folder.entries.set(name, node);
    folder.version++;
  }

  #remove(path: string): void {
    const [folder, name] = this.#place(path);
    folder.entries.delete(name);
    folder.version++;
  }

  #place(path: string): [FolderNode, string] {
    const at = path.lastIndexOf('/');
    return [this.#makeFolders(path.slice(0, Math.max(0, at))), path.slice(at + 1)];
  }

  /** At the end of the file when no place is given. */
  #write(path: string, at: number | undefined, bytes: Buffer): void {
    let file = this.#find(path);
    if (!(file instanceof FileNode)) {
      file = new FileNode(Buffer.alloc(0));
      this.#put(path, file);
    }
    const start = at ?? file.content.length;
    const length = Math.max(file.content.length, start + bytes.length);
    const content = Buffer.alloc(length);
    file.content.copy(content);
    bytes.copy(content, start);
    file.content = content;
    file.version++;
  }

  #truncate(path: string, size: number): void {
    const file = this.#find(path);
    if (!(file instanceof FileNode)) return;
    const content = Buffer.alloc(size);
    file.content.copy(content);
    file.content = content;
    file.version++;
  }

  #saveAll(folder: FolderNode): Saved[] {
    return [
      save(folder),
      ...[...folder.entries.values()].flatMap((node) =>
        node instanceof FolderNode ? this.#saveAll(node) : [save(node)],
      ),
    ];
  }

  #commit(saved: readonly Saved[]): void {
    for (const state of saved) {
      // A later sync may have ended first.
      if (state.version <= state.node.durableVersion) continue;
      state.node.durableVersion = state.version;
      if ('content' in state) state.node.durable = state.content;
      else state.node.durable = state.entries;
    }
  }
}

function save(node: Node): Saved {
  const { version } = node;
  if (node instanceof FileNode) return { node, content: node.content, version };
  return { node, entries: new Map(node.entries), version };
}

/** Lays an image out below a folder. */
export function layOut(image: Image, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, bytes] of image) {
    const to = join(folder, path);
    if (path.endsWith('/')) mkdirSync(to, { recursive: true });
    else {
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, bytes);
    }
  }
}

const digests = new WeakMap<Buffer, string>();

/** Equal for equal images. */
export function digestOf(image: Image): string {
  const lines: string[] = [];
  for (const [path, bytes] of image) {
    let digest = digests.get(bytes);
    if (digest === undefined) digests.set(bytes, (digest = hash('sha256', bytes)));
    lines.push(`${path} ${digest}`);
  }
  return hash('sha256', lines.sort().join('\n'));
}

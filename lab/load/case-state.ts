import type { Content } from './attachment-files.ts';

/** What a writer knows of a case that it made: enough to choose the next change, in the words of the graph. */
export interface CaseState {
  uid: string;
  hasDescription: boolean;
  tags: string[];
  tasks: { uid: string; logs: { uid: string }[] }[];
  observables: Observable[];
  attachments: Map<string, Attachment>;
}

export interface Observable {
  uid: string;
  /** The Attachment vertex that it refers to, if any. */
  attachmentUid: string | undefined;
}

/** An Attachment vertex; `holders` are the observables and logs with an edge to it. */
export interface Attachment {
  uid: string;
  content: Content;
  hasContentType: boolean;
  holders: Set<string>;
}

/**
 * Which contents a writer's Attachment vertices refer to. TheHive deletes the file together with the last reference;
 * a file younger than `minAgeMs` is not deleted, because files that live for less than a poll are outside the promise.
 */
export class Contents {
  readonly #minAgeMs: number;
  readonly #references = new Map<string, { count: number; bornMs: number }>();

  constructor(minAgeMs: number) {
    this.#minAgeMs = minAgeMs;
  }

  add(sha256: string, nowMs: number): void {
    const known = this.#references.get(sha256);
    if (known) known.count += 1;
    else this.#references.set(sha256, { count: 1, bornMs: nowMs });
  }

  /** Takes one reference away; true when it was the last, so that the file has to go. */
  release(sha256: string): boolean {
    const known = this.#references.get(sha256);
    if (!known) return false;
    known.count -= 1;
    if (known.count > 0) return false;
    this.#references.delete(sha256);
    return true;
  }

  /** True when every one of these files is old enough to be deleted. */
  mayDelete(contents: Iterable<string>, nowMs: number): boolean {
    for (const sha256 of contents) {
      const known = this.#references.get(sha256);
      if (known && nowMs - known.bornMs < this.#minAgeMs) return false;
    }
    return true;
  }

  /** After a failure nobody knows which references are left: the file is never deleted any more. */
  keepForEver(sha256: string): void {
    this.#references.set(sha256, { count: Number.MAX_SAFE_INTEGER, bornMs: 0 });
  }
}

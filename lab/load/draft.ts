import { createHash } from 'node:crypto';
import type { FileOp, Op, Value } from '../ledger/model.ts';
import { type Content, newContent } from './attachment-files.ts';
import type { Attachment, CaseState, Contents, Observable } from './case-state.ts';
import type { Random } from './random.ts';

/** Words for texts: a real index has analysed text in it. */
const WORDS = 'phishing malware beacon invoice finance sender header payload lateral credential report sandbox'.split(
  ' ',
);
const TYPES = ['ip', 'domain', 'url', 'hash', 'mail', 'filename'];

/**
 * A transaction in the making: collects its operations and files while it changes what the writer knows. Every value
 * that it writes carries its id, so that each version of each property is told apart in the graph.
 */
export class Draft {
  readonly txn: string;
  readonly random: Random;
  readonly nowMs: number;
  readonly ops: Op[] = [];
  readonly puts: Content[] = [];
  readonly deletes: Content[] = [];
  readonly touched = new Set<CaseState>();
  /** Case numbers are unique and never change; one draft makes at most one case. */
  readonly caseNumber: number;
  readonly #contents: Contents;
  readonly #seq: number;
  #made = 0;

  constructor(of: { txn: string; seq: number; caseNumber: number; random: Random; contents: Contents; nowMs: number }) {
    this.txn = of.txn;
    this.#seq = of.seq;
    this.caseNumber = of.caseNumber;
    this.random = of.random;
    this.#contents = of.contents;
    this.nowMs = of.nowMs;
  }

  /** A name that no other vertex, edge or value has. */
  fresh(kind: string): string {
    return `${kind}:${this.txn}:${this.#made++}`;
  }

  text(words: number): string {
    const chosen = Array.from({ length: words }, () => this.random.pick(WORDS) ?? '');
    return `${chosen.join(' ')} [${this.fresh('t')}]`;
  }

  hash(): string {
    return createHash('sha256').update(this.fresh('hash')).digest('hex');
  }

  set(uid: string, key: string, value: Value): void {
    this.ops.push(['set', uid, key, value]);
  }

  /** Marks the case as changed by this transaction; `updatedAt` is not the time but a number that never comes back. */
  touch(state: CaseState): void {
    this.touched.add(state);
    this.set(state.uid, 'updatedAt', this.#tick());
  }

  newVertex(kind: string, properties: Record<string, Value | Value[]>): string {
    const uid = this.fresh(kind);
    this.ops.push(['addV', uid, kind, { kind, createdAt: this.nowMs, ...properties }]);
    return uid;
  }

  newEdge(kind: string, outUid: string, inUid: string): void {
    this.ops.push(['addE', this.fresh('e'), kind, outUid, inUid]);
  }

  newTask(state: CaseState): CaseState['tasks'][number] {
    const task = { uid: this.newVertex('Task', { title: this.text(4), status: `Waiting ${this.txn}` }), logs: [] };
    this.newEdge('CaseTask', state.uid, task.uid);
    state.tasks.push(task);
    return task;
  }

  newLog(state: CaseState, task: CaseState['tasks'][number], withAttachment: boolean): void {
    const log = { uid: this.newVertex('Log', { message: this.text(20) }) };
    this.newEdge('TaskLog', task.uid, log.uid);
    task.logs.push(log);
    if (withAttachment) this.#attach(state, log.uid, 'LogAttachment', this.#newFile());
  }

  newObservable(state: CaseState, with_: 'nothing' | 'file' | { copyOf: Content } | { share: Attachment }): Observable {
    const dataType = this.random.pick(TYPES) ?? 'ip';
    const uid = this.newVertex('Observable', {
      dataType,
      data: `${dataType}-${this.fresh('d')}`,
      hash: this.hash(),
      seq: this.#seq,
      ioc: this.random.chance(0.5),
    });
    this.newEdge('CaseObservable', state.uid, uid);
    const observable: Observable = { uid, attachmentUid: undefined };
    if (with_ === 'file') observable.attachmentUid = this.#attach(state, uid, 'ObservableAttachment', this.#newFile());
    else if (with_ !== 'nothing' && 'copyOf' in with_)
      observable.attachmentUid = this.#attach(state, uid, 'ObservableAttachment', with_.copyOf);
    else if (with_ !== 'nothing') {
      this.newEdge('ObservableAttachment', uid, with_.share.uid);
      with_.share.holders.add(uid);
      observable.attachmentUid = with_.share.uid;
    }
    state.observables.push(observable);
    return observable;
  }

  /** Deletes an observable, and the Attachment vertex and the file where this was their last reference. */
  deleteObservable(state: CaseState, observable: Observable): void {
    state.observables = state.observables.filter((o) => o !== observable);
    this.ops.push(['delV', observable.uid]);
    if (observable.attachmentUid === undefined) return;
    const attachment = state.attachments.get(observable.attachmentUid);
    attachment?.holders.delete(observable.uid);
    if (attachment && attachment.holders.size === 0) this.#deleteAttachment(state, attachment);
  }

  deleteCase(state: CaseState): void {
    this.touched.add(state);
    for (const { uid } of state.observables) this.ops.push(['delV', uid]);
    for (const { uid, logs } of state.tasks) {
      for (const log of logs) this.ops.push(['delV', log.uid]);
      this.ops.push(['delV', uid]);
    }
    for (const attachment of state.attachments.values()) this.#deleteAttachment(state, attachment);
    this.ops.push(['delV', state.uid]);
  }

  files(): FileOp[] {
    const line = (op: FileOp['op']) => (content: Content) => ({ op, sha256: content.sha256, size: content.size });
    return [...this.puts.map(line('put')), ...this.deletes.map(line('delete'))];
  }

  #newFile(): Content {
    const content = newContent(this.fresh('file'), this.random);
    this.puts.push(content);
    return content;
  }

  #attach(state: CaseState, holder: string, edge: string, content: Content): string {
    const uid = this.newVertex('Attachment', {
      attachmentId: content.sha256,
      name: `sample-${this.txn}.bin`,
      contentType: `application/x-${this.txn}`,
      size: content.size,
    });
    this.newEdge(edge, holder, uid);
    state.attachments.set(uid, { uid, content, hasContentType: true, holders: new Set([holder]) });
    this.#contents.add(content.sha256, this.nowMs);
    return uid;
  }

  #deleteAttachment(state: CaseState, attachment: Attachment): void {
    this.ops.push(['delV', attachment.uid]);
    state.attachments.delete(attachment.uid);
    if (this.#contents.release(attachment.content.sha256)) this.deletes.push(attachment.content);
  }

  #tick(): number {
    return 1_700_000_000_000 + this.#seq * 1000;
  }
}

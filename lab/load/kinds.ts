import type { CaseState, Contents } from './case-state.ts';
import type { Draft } from './draft.ts';

/** What a kind of transaction may look at: the live cases of its writer, and which files may go. */
export interface Surroundings {
  cases: CaseState[];
  contents: Contents;
}

/** What the audit entry says of a transaction. */
export interface Deed {
  action: 'create' | 'update' | 'delete';
  objectType: string;
  objectId: string;
}

/** Writes one transaction into the draft; undefined, and an untouched draft, where nothing fits. */
type Kind = (draft: Draft, around: Surroundings) => Deed | undefined;

/** The kinds with their weights, in the proportions of a day's work with many new cases. */
export const KINDS: Readonly<Record<string, { weight: number; write: Kind }>> = {
  'case-new': { weight: 26, write: newCase },
  'case-update': { weight: 22, write: onCase(updateCase) },
  'hash-change': { weight: 8, write: onCase(changeHash) },
  'tag-add': { weight: 7, write: onCase(addTag) },
  'tag-drop': { weight: 5, write: onCase(dropTag) },
  'property-drop': { weight: 5, write: onCase(dropProperty) },
  'log-add': { weight: 5, write: onCase(addLog) },
  'observable-add': { weight: 8, write: onCase(addObservable) },
  'attachment-share': { weight: 3, write: onCase(shareAttachment) },
  'attachment-copy': { weight: 3, write: onCase(copyAttachment) },
  'observable-delete': { weight: 6, write: onCase(deleteObservable) },
  'case-delete': { weight: 3, write: onCase(deleteCase) },
};

/** Chooses a kind that fits and writes it; a new case always fits. */
export function writeAnyKind(draft: Draft, around: Surroundings): Deed & { kind: string } {
  const names = Object.entries(KINDS).flatMap(([name, { weight }]) => Array<string>(weight).fill(name));
  for (let tries = 0; tries < 5; tries++) {
    const kind = draft.random.pick(names) ?? 'case-new';
    const deed = KINDS[kind]?.write(draft, around);
    if (deed) return { ...deed, kind };
  }
  return { ...newCase(draft, around), kind: 'case-new' };
}

function onCase(write: (draft: Draft, state: CaseState, around: Surroundings) => Deed | undefined): Kind {
  return (draft, around) => {
    const state = draft.random.pick(around.cases);
    return state && write(draft, state, around);
  };
}

function newCase(draft: Draft, around: Surroundings): Deed {
  const { random } = draft;
  const tags = Array.from({ length: random.int(0, 3) }, () => draft.fresh('tag'));
  const uid = draft.newVertex('Case', {
    title: draft.text(6),
    description: draft.text(40),
    status: `New ${draft.txn}`,
    severity: random.int(1, 4),
    number: draft.caseNumber,
    tags,
  });
  const state: CaseState = { uid, hasDescription: true, tags, tasks: [], observables: [], attachments: new Map() };
  for (let tasks = random.int(1, 2); tasks > 0; tasks--) {
    const task = draft.newTask(state);
    for (let logs = random.int(1, 2); logs > 0; logs--) draft.newLog(state, task, random.chance(0.15));
  }
  for (let n = random.int(1, 5); n > 0; n--) draft.newObservable(state, random.chance(0.35) ? 'file' : 'nothing');
  draft.touched.add(state);
  around.cases.push(state);
  return { action: 'create', objectType: 'Case', objectId: uid };
}

function updateCase(draft: Draft, state: CaseState): Deed {
  draft.touch(state);
  draft.set(state.uid, 'title', draft.text(6));
  draft.set(state.uid, 'status', `InProgress ${draft.txn}`);
  if (draft.random.chance(0.5)) {
    draft.set(state.uid, 'description', draft.text(40));
    state.hasDescription = true;
  }
  for (const task of state.tasks) draft.set(task.uid, 'status', `Done ${draft.txn}`);
  const log = draft.random.pick(state.tasks.flatMap((task) => task.logs));
  if (log) draft.set(log.uid, 'message', draft.text(20));
  return { action: 'update', objectType: 'Case', objectId: state.uid };
}

function changeHash(draft: Draft, state: CaseState): Deed | undefined {
  const observable = draft.random.pick(state.observables);
  if (!observable) return undefined;
  draft.touch(state);
  draft.set(observable.uid, 'hash', draft.hash());
  draft.set(observable.uid, 'data', `changed-${draft.fresh('d')}`);
  return { action: 'update', objectType: 'Observable', objectId: observable.uid };
}

function addTag(draft: Draft, state: CaseState): Deed {
  draft.touch(state);
  const tag = draft.fresh('tag');
  state.tags.push(tag);
  draft.ops.push(['add', state.uid, 'tags', tag]);
  return { action: 'update', objectType: 'Case', objectId: state.uid };
}

function dropTag(draft: Draft, state: CaseState): Deed | undefined {
  const tag = draft.random.pick(state.tags);
  if (tag === undefined) return undefined;
  draft.touch(state);
  state.tags = state.tags.filter((t) => t !== tag);
  draft.ops.push(['take', state.uid, 'tags', tag]);
  return { action: 'update', objectType: 'Case', objectId: state.uid };
}

function dropProperty(draft: Draft, state: CaseState): Deed | undefined {
  const attachment = draft.random.pick([...state.attachments.values()].filter((a) => a.hasContentType));
  if (attachment && (!state.hasDescription || draft.random.chance(0.5))) {
    draft.touch(state);
    attachment.hasContentType = false;
    draft.ops.push(['unset', attachment.uid, 'contentType']);
    return { action: 'update', objectType: 'Attachment', objectId: attachment.uid };
  }
  if (!state.hasDescription) return undefined;
  draft.touch(state);
  state.hasDescription = false;
  draft.ops.push(['unset', state.uid, 'description']);
  return { action: 'update', objectType: 'Case', objectId: state.uid };
}

function addLog(draft: Draft, state: CaseState): Deed | undefined {
  const task = draft.random.pick(state.tasks);
  if (!task) return undefined;
  draft.touch(state);
  draft.newLog(state, task, draft.random.chance(0.3));
  return { action: 'create', objectType: 'Log', objectId: task.uid };
}

function addObservable(draft: Draft, state: CaseState): Deed {
  draft.touch(state);
  const observable = draft.newObservable(state, draft.random.chance(0.5) ? 'file' : 'nothing');
  return { action: 'create', objectType: 'Observable', objectId: observable.uid };
}

function shareAttachment(draft: Draft, state: CaseState): Deed | undefined {
  const share = draft.random.pick([...state.attachments.values()]);
  if (!share) return undefined;
  draft.touch(state);
  const observable = draft.newObservable(state, { share });
  return { action: 'create', objectType: 'Observable', objectId: observable.uid };
}

/** The same content in another case: two Attachment vertices, one file. */
function copyAttachment(draft: Draft, state: CaseState, around: Surroundings): Deed | undefined {
  const source = draft.random.pick(around.cases.flatMap((c) => [...c.attachments.values()]));
  if (!source) return undefined;
  draft.touch(state);
  const observable = draft.newObservable(state, { copyOf: source.content });
  return { action: 'create', objectType: 'Observable', objectId: observable.uid };
}

function deleteObservable(draft: Draft, state: CaseState, around: Surroundings): Deed | undefined {
  const observable = draft.random.pick(state.observables);
  if (!observable) return undefined;
  const attachment = state.attachments.get(observable.attachmentUid ?? '');
  if (attachment && !around.contents.mayDelete([attachment.content.sha256], draft.nowMs)) return undefined;
  draft.touch(state);
  draft.deleteObservable(state, observable);
  return { action: 'delete', objectType: 'Observable', objectId: observable.uid };
}

function deleteCase(draft: Draft, state: CaseState, around: Surroundings): Deed | undefined {
  const contents = [...state.attachments.values()].map((a) => a.content.sha256);
  if (!around.contents.mayDelete(contents, draft.nowMs)) return undefined;
  draft.deleteCase(state);
  around.cases.splice(around.cases.indexOf(state), 1);
  return { action: 'delete', objectType: 'Case', objectId: state.uid };
}

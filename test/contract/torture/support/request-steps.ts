/**
 * The seam between skep and an object storage, for tests alone: every request that changes what is in a bucket is a step.
 * The client's own `send` is replaced: the product needs no code for this.
 */
import { S3Client } from '@aws-sdk/client-s3';
import { shapeOf } from './step-names.ts';

/** `id` is the same before and after the request. */
export interface RequestHook {
  before(id: unknown, step: string): void;
  after(id: unknown, step: string): void;
}

const VERBS: Readonly<Record<string, string>> = {
  PutObjectCommand: 'PUT',
  CreateMultipartUploadCommand: 'begin upload',
  UploadPartCommand: 'PUT part',
  CompleteMultipartUploadCommand: 'end upload',
  AbortMultipartUploadCommand: 'abort upload',
  DeleteObjectsCommand: 'DELETE',
  CopyObjectCommand: 'COPY',
  PutObjectRetentionCommand: 'lock',
};

interface Command {
  constructor: { name: string };
  input: { Key?: string; Delete?: { Objects?: { Key?: string }[] } };
}

type Send = (command: Command, ...rest: unknown[]) => Promise<unknown>;

const client = S3Client.prototype as unknown as { send: Send };
const { send } = client;

/** From here on the hook sees the requests of every client; undefined ends that. */
export function watchRequests(hook: RequestHook | undefined): void {
  client.send = hook === undefined ? send : wrap(hook);
}

/** Of contents only what they are: how they are encoded makes no other step of it. */
function placeOf(key: string): string {
  return /^(?:objects|listings)\//.exec(key)?.[0] ?? shapeOf(key);
}

function wrap(hook: RequestHook): Send {
  return async function watched(this: unknown, command, ...rest) {
    const verb = VERBS[command.constructor.name];
    if (verb === undefined) return send.call(this, command, ...rest);
    const key = command.input.Key ?? command.input.Delete?.Objects?.[0]?.Key ?? '';
    // Without the prefix that a repository has in the bucket.
    const step = `${verb} ${placeOf(key.slice(key.indexOf('/') + 1))}`;
    hook.before(command, step);
    const answer = await send.call(this, command, ...rest);
    hook.after(command, step);
    return answer;
  };
}

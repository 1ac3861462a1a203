import { SkepError } from '../errors.ts';
import { type Method, type Parsed, params, type Progress, type Results } from '../protocol/methods.ts';
import type { Handler } from '../protocol/peer.ts';
import { attachmentHandlers } from './handlers/attachments.ts';
import { cassandraHandlers } from './handlers/cassandra.ts';
import { configHandlers } from './handlers/config.ts';
import { filesHandlers } from './handlers/files.ts';
import { lookHandlers } from './handlers/look.ts';
import { nodeHandlers } from './handlers/node.ts';
import { restoreHandlers } from './handlers/restore.ts';
import { newestProgress } from './newest-progress.ts';
import type { Session } from './session.ts';

/** What a method is given beside its parameters. */
export interface MethodContext {
  session: Session;
  signal: AbortSignal;
  progress(p: Progress): void;
}

export type MethodHandlers<M extends Method = Method> = {
  [K in M]: (p: Parsed<K>, ctx: MethodContext) => Promise<Results[K]>;
};

/** The agent's table of methods: parameters are checked before a method sees them. */
export function handlers(session: Session): Record<string, Handler> {
  const all: MethodHandlers = {
    ...nodeHandlers,
    ...cassandraHandlers,
    ...filesHandlers,
    ...configHandlers,
    ...attachmentHandlers,
    ...lookHandlers,
    ...restoreHandlers,
  };
  return Object.fromEntries(
    Object.entries(all).map(([method, handle]): [string, Handler] => [
      method,
      async (raw, ctx) => {
        const parsed = params[method as Method].safeParse(raw);
        if (!parsed.success) {
          const issue = parsed.error.issues[0];
          throw new SkepError('protocol-error', `${method}: ${issue?.path.join('.')}: ${issue?.message}`);
        }
        const { tell, told } = newestProgress(ctx.emit);
        const context = { session, signal: ctx.signal, progress: tell };
        const result = await (handle as (p: unknown, c: MethodContext) => Promise<unknown>)(parsed.data, context);
        await told();
        return result;
      },
    ]),
  );
}

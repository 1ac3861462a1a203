import { z } from 'zod';

const serializedError = z.looseObject({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
  context: z.record(z.string(), z.unknown()),
  cause: z.string().optional(),
});

/** Everything that may cross the pipe, in either direction. */
export const messageSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('hello'), protocol: z.number().int(), skep: z.string() }),
  z.object({ t: z.literal('call'), id: z.number().int(), method: z.string(), params: z.unknown() }),
  z.object({ t: z.literal('event'), id: z.number().int(), event: z.unknown() }),
  z.object({ t: z.literal('result'), id: z.number().int(), value: z.unknown() }),
  z.object({ t: z.literal('error'), id: z.number().int(), error: serializedError }),
  z.object({ t: z.literal('cancel'), id: z.number().int() }),
  z.object({ t: z.literal('ping') }),
]);

export type Message = z.output<typeof messageSchema>;

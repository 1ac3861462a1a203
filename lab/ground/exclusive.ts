import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs `task` while no other process on this machine is inside `exclusive` with the same key.
 * The lock is an abstract Unix socket: the kernel frees it when its owner dies, so it is never stale.
 */
export async function exclusive<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const name = `\0skep-lab-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  let held: Server | undefined;
  while ((held = await tryListen(name)) === undefined) await delay(100, undefined, { signal });
  try {
    return await task();
  } finally {
    const server = held;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The listening server, or undefined when another process holds the name. */
function tryListen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', (e: NodeJS.ErrnoException) => {
      if (e.code === 'EADDRINUSE') resolve(undefined);
      else reject(e);
    });
    server.listen(name, () => resolve(server));
  });
}

import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const ANSWER_MS = 1_000;

/**
 * Takes a lock for this process; gives what releases it, or the pid of the process that holds it (undefined when it does
 * not say). Only for processes of one machine. `path` is but a name: the lock is a socket in the kernel's own name space,
 * which is gone with its process however that ends; a file would have to be taken from the dead, by one of several.
 */
export async function takeLock(
  path: string,
): Promise<{ release(): Promise<void> } | { release: undefined; holder: number | undefined }> {
  const name = `\0skep-${createHash('sha256').update(resolve(path)).digest('hex')}`;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(String(process.pid));
  });
  try {
    await listen(server, name);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw e;
    return { release: undefined, holder: await askHolder(name) };
  }
  server.unref();
  return { release: () => new Promise((done) => void server.close(() => done())) };
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(name, () => {
      server.off('error', failed);
      done();
    });
  });
}

async function askHolder(name: string): Promise<number | undefined> {
  const socket = connect(name);
  socket.setTimeout(ANSWER_MS, () => socket.destroy());
  const answer = await text(socket).catch(() => '');
  return /^\d+$/.test(answer) ? Number(answer) : undefined;
}
